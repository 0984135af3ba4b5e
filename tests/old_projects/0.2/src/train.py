"""Train the model. Plain PyTorch; Accelerate moves it to GPUs, mixed precision and several processes:
`torchrun --nproc-per-node 2 src/train.py` needs no change here, since batch_size is that of all together."""

import math

import reproof.pinned  # noqa: F401  first: Python starts again, with threads pinned
from reproof import checkpoint, digest, files, runlog, splits
from reproof.errors import ReproofError
from reproof.stage import Stage, run_stage

from config import Config, Train


def main(stage: Stage[Config]) -> None:
    import torch
    from accelerate import Accelerator, DataLoaderConfiguration, DistributedDataParallelKwargs
    from torch.nn.functional import cross_entropy
    from torch.utils.data import DataLoader, TensorDataset
    from tqdm import tqdm

    from baselines import accuracies
    from data import preprocess
    from model import build

    params = stage.params.train
    train, validation, test = (splits.load(stage.input(f"prepared/{name}.npz")) for name in splits.NAMES)
    dataset = splits.read_dataset(stage.input("prepared/dataset.json"), stage.params.data.model_dump())
    if params.batch_size > len(train.y):
        raise ReproofError(
            "a batch larger than the training split",
            where="train.batch_size",
            expected=f"at most {len(train.y)}",
            found=str(params.batch_size),
        )

    device = stage.device()
    if params.mixed_precision == "fp16" and device == "cpu":
        raise ReproofError("fp16 needs a GPU", where="train.mixed_precision", expected="no or bf16 on a CPU")

    # Batches: the order of an epoch follows from seed and epoch alone, however many processes share it.
    # With more than two processes the order of a sum follows the buckets of gradients; by default these are
    # laid out anew after the first step, and a training that goes on would add in another order for one step.
    fixed_buckets = DistributedDataParallelKwargs(find_unused_parameters=True)
    accelerator = Accelerator(
        cpu=device == "cpu",
        mixed_precision=params.mixed_precision,
        kwargs_handlers=[fixed_buckets],
        dataloader_config=DataLoaderConfiguration(
            split_batches=True, use_seedable_sampler=True, data_seed=stage.params.seed
        ),
    )
    tensors = TensorDataset(torch.from_numpy(preprocess(train.x)), torch.from_numpy(train.y))
    loader = DataLoader(tensors, params.batch_size, shuffle=True, drop_last=True)
    held_out = [torch.from_numpy(a).to(accelerator.device) for a in (preprocess(validation.x), validation.y)]

    shape = {"shape": list(train.x.shape[1:]), "classes": len(dataset["classes"])}
    facts = {
        "model": {**shape, **stage.params.model.model_dump()},
        "dataset": dataset,
        "train_split": train.digest(),
    }
    model = build(**facts["model"])
    optimizer = torch.optim.AdamW(model.parameters(), params.lr, weight_decay=params.weight_decay)
    start, best = 0, {"loss": math.inf, "weights": {}, "step": 0}
    if params.resume_from:
        folder = checkpoint.find(stage.root, params.resume_from)
        stage.fact("resumed_from", {"reference": params.resume_from, "digest": digest.digest(folder)})
        if files.read_json(folder / checkpoint.CONFIG)["train_split"] != facts["train_split"]:
            raise ReproofError(
                "the checkpoint was trained on another split, which may hold examples of today's test",
                where=f"train.resume_from: {params.resume_from}",
                hint="use the data params of that run",
            )
        checkpoint.load_into(model, folder / checkpoint.LAST)
        state, position = checkpoint.load_state(folder / checkpoint.STATE)
        optimizer.load_state_dict(state)
        start = position["epoch"]
        best = {**position["best"], "weights": checkpoint.load_weights(folder / checkpoint.BEST)}
        if start >= params.epochs:
            raise ReproofError(
                "the checkpoint has no epochs left to train",
                where="train.epochs",
                expected=f"more than the {start} that it has",
                found=str(params.epochs),
            )
    if params.batch_size % accelerator.num_processes:
        raise ReproofError(
            "the batch cannot be shared evenly",
            where="train.batch_size",
            expected=f"a multiple of {accelerator.num_processes}, the number of processes",
            found=str(params.batch_size),
        )
    if accelerator.process_index:  # else every process would drop the same activations
        torch.manual_seed(stage.params.seed + accelerator.process_index)
    raw_model = model
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)

    total = params.epochs * len(loader)
    log = stage.log(dataset["name"])
    log.params(
        "derived", {"steps_per_epoch": len(loader), "steps": total, "processes": accelerator.num_processes}
    )
    stage.fact("device", accelerator.device.type)
    stage.fact("parameters", sum(p.numel() for p in raw_model.parameters()))
    stage.fact("layers", {name: str(layer) for name, layer in raw_model.named_children()})

    def validate() -> dict[str, float]:
        raw_model.eval()
        with torch.inference_mode():
            logits = torch.cat([raw_model(part) for part in held_out[0].split(1024)])
            loss = cross_entropy(logits, held_out[1]).item()
            accuracy = (logits.argmax(1) == held_out[1]).float().mean().item()
        raw_model.train()
        return {"loss": loss, "accuracy": accuracy}

    # What a training that was killed here had reached; `dvc exp run` again goes on from it.
    resume = stage.resume(model=raw_model, optimizer=optimizer, scaler=accelerator.scaler)
    at = resume.position or {"epoch": start, "batch": 0, "best": best}
    step, best = at["epoch"] * len(loader) + at["batch"], at["best"]
    bar = tqdm(total=total, initial=step, unit="step", disable=None if stage.is_main else True)
    for epoch in range(at["epoch"], params.epochs):
        loader.set_epoch(epoch)
        done = at["batch"] if epoch == at["epoch"] else 0
        batches = accelerator.skip_first_batches(loader, done) if done else loader
        for batch, (x, y) in enumerate(batches, start=done + 1):
            resume.here(step, epoch=epoch, batch=batch - 1, best=best)
            lr = learning_rate(step, total, params)
            for group in optimizer.param_groups:
                group["lr"] = lr
            logits = model(x)
            loss = cross_entropy(logits, y)
            accelerator.backward(loss)
            optimizer.step()
            optimizer.zero_grad()
            step += 1

            hits = (logits.argmax(1) == y).float().mean()
            seen = accelerator.gather(torch.stack([loss.detach().float(), hits])[None]).mean(0).tolist()
            if not math.isfinite(seen[0]):
                raise ReproofError("the loss is not finite", where=f"step {step}", hint="lower train.lr")
            log.metrics(step, "train", {"loss": seen[0], "accuracy": seen[1], "learning_rate": lr})
            if batch % params.validate_every == 0 or batch == len(loader):
                scores = validate()
                log.metrics(step, "validation", scores)
                if not math.isfinite(scores["loss"]):
                    raise ReproofError(
                        "the validation loss is not finite", where=f"step {step}", hint="lower train.lr"
                    )
                if scores["loss"] < best["loss"]:
                    weights = {name: value.cpu().clone() for name, value in raw_model.state_dict().items()}
                    best = {**scores, "weights": weights, "step": step}
            stage.progress(step, total)
            bar.update()
        if stage.is_main:
            said = f"validation loss {scores['loss']:.4f}, accuracy {scores['accuracy']:.4f}"
            bar.write(f"epoch {epoch + 1}/{params.epochs}: {said}")
    bar.close()
    log.close()

    if not stage.is_main:
        return
    folder = stage.output("results/latest/checkpoint")
    weights = best.pop("weights")
    checkpoint.save_weights(folder / checkpoint.BEST, weights, best)
    checkpoint.save_weights(folder / checkpoint.LAST, raw_model.state_dict(), {"step": step})
    position = {"epoch": params.epochs, "step": step, "best": best}
    checkpoint.save_state(folder / checkpoint.STATE, optimizer.state_dict(), position)
    files.write_json(folder / checkpoint.CONFIG, facts)
    runlog.write_curves(log.metrics_path, stage.output("results/latest/curves.csv"))

    stage.metric("validation.loss", best["loss"])
    stage.metric("validation.accuracy", best["accuracy"])
    stage.metric("best_step", best["step"])
    for name, split in {"validation": validation, "test": test}.items():
        for baseline, accuracy in accuracies(train, split, stage.params.seed).items():
            stage.metric(f"baseline.{baseline}.{name}.accuracy", accuracy)


def learning_rate(step: int, total: int, params: Train) -> float:
    """Linear warm-up, then a cosine down to zero."""
    if step < params.warmup_steps:
        return params.lr * (step + 1) / params.warmup_steps
    done = (step - params.warmup_steps) / max(1, total - params.warmup_steps)
    return params.lr * 0.5 * (1 + math.cos(math.pi * done))


if __name__ == "__main__":
    run_stage("train", main, Config, torch=True)
