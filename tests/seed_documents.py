"""What teams write by hand: the headings, table columns and fields of their documents, as data."""

from __future__ import annotations

import re

EXPERIMENT = [
    "Executive Summary", "Key Findings", "Recommendations",
    "1. Objective", "1.1 Research Question", "1.2 Success Criteria", "1.3 Constraints",
    "2. Dataset", "2.1 Data Description", "2.2 Data Splits", "2.3 Data Quality", "2.4 Exploratory Analysis",
    "3. Model", "3.1 Architecture", "3.2 Model Specifications", "3.3 Baseline Models",
    "4. Training", "4.1 Hyperparameters", "4.2 Training Process", "4.3 Computational Resources",
    "4.4 Training Curves",
    "5. Results", "5.1 Quantitative Results", "5.2 Statistical Significance", "5.3 Per-Class Performance",
    "5.4 Qualitative Results", "Success Cases", "Failure Cases",
    "6. Analysis", "6.1 Ablation Study", "6.2 Error Analysis", "6.3 Feature Importance",
    "7. Robustness", "7.1 Cross-Dataset Evaluation", "7.2 Adversarial Robustness", "7.3 Fairness Analysis",
    "8. Deployment Considerations", "8.1 Model Size", "8.2 Inference Speed", "8.3 Production Requirements",
    "9. Conclusions", "9.1 Summary", "9.2 Did We Meet Objectives?", "9.3 Lessons Learned",
    "10. Next Steps", "10.1 Short-term (1-2 weeks)", "10.2 Medium-term (1-2 months)",
    "10.3 Long-term (3+ months)",
    "References", "Appendix", "A. Hyperparameter Search", "B. Additional Experiments", "C. Code",
    "D. Data Card", "E. Model Card",
]  # fmt: skip
"""Headings of the experiment report, in their order."""

EXPERIMENT_COLUMNS = {
    "2.1 Data Description": ["Property", "Value"],
    "2.2 Data Splits": ["Split", "Size", "Percentage"],
    "3.2 Model Specifications": ["Component", "Configuration"],
    "4.1 Hyperparameters": ["Hyperparameter", "Value", "Rationale"],
    "4.3 Computational Resources": ["Resource", "Specification"],
    "5.1 Quantitative Results": ["Model", "Accuracy", "Precision", "Recall", "F1", "AUC"],
    "5.3 Per-Class Performance": ["Class", "Precision", "Recall", "F1", "Support"],
    "8.2 Inference Speed": ["Batch Size", "Latency", "Throughput"],
    "9.2 Did We Meet Objectives?": ["Objective", "Status", "Notes"],
}
"""Columns of a table in a section, in their order; others may stand between them."""

EXPERIMENT_FIELDS = {
    "Machine Learning Experiment Report": ["Researchers", "Date", "Status"],
    "2.1 Data Description": ["Name", "Source", "Size", "Features", "Target", "License"],
    "2.2 Data Splits": ["Train", "Validation", "Test"],
    "2.3 Data Quality": ["Missing Values", "Outliers", "Imbalance", "Preprocessing"],
    "3.2 Model Specifications": ["Type", "Parameters", "Layers", "Activation", "Dropout"],
    "4.1 Hyperparameters": ["lr", "batch_size", "epochs", "Optimizer", "weight_decay", "LR Schedule"],
    "4.3 Computational Resources": ["Hardware", "Memory", "Training Time", "Cost"],
    "5.2 Statistical Significance": ["P-value", "Confidence Intervals", "Multiple Runs"],
    "8.1 Model Size": ["Parameters", "Disk Size", "Memory"],
    "8.3 Production Requirements": ["Dependencies", "Infrastructure", "Monitoring", "Fallback"],
    "C. Code": ["Training code", "Evaluation code", "Model checkpoint"],
}
"""Fields of a section; each is followed by something."""

INFERENCE = [
    "Summary", "Artifacts", "Environment", "Dependency Resolution", "Required dependencies (derived)",
    "Missing deps and chosen strategy", "Notes / gotchas", "Model Contract (I/O)", "Inputs", "Outputs",
    "How to Run (Repro Commands)", "Inputs Used", "Inputs discovery", "Input inventory", "Experiment Runs",
    "Run matrix", "Input → Output mapping (key examples)", "Timing / Benchmark",
    "End-to-end timing (default)", "Throughput / memory (if measured)", "User Metrics (Optional)",
    "Issues / Pitfalls", "Conclusions", "Appendix",
]  # fmt: skip

INFERENCE_COLUMNS = {
    "Input inventory": ["Input", "Source", "Notes"],
    "Run matrix": ["Run ID", "Script/Command", "Device", "Params", "Inputs", "Outputs"],
    "Input → Output mapping (key examples)": ["Input", "Output(s)", "Notes"],
    "End-to-end timing (default)": ["Stage", "Mean (ms)", "Median (ms)", "Notes"],
}

INFERENCE_FIELDS = {
    "Summary": ["Goal", "Status", "What worked", "What failed / missing"],
    "Artifacts": [
        "Experiment directory", "Plan", "Checkpoint", "Upstream source/docs", "Repo", "Version pin",
        "License notes",
    ],
    "Environment": [
        "Environment manager", "Python", "OS", "Device used", "Key runtime libs", "onnxruntime", "numpy",
        "opencv-python", "pillow",
    ],
    "Required dependencies (derived)": [
        "Runtime/framework", "Model-specific libs", "Utilities", "Optional acceleration",
    ],
    "Missing deps and chosen strategy": [
        "Missing", "User choice", "Pixi", "Venv", "Version strategy used", "First attempt", "Fallback",
    ],
    "Inputs": [
        "Modality", "Accepted formats", "Expected shape/dtype", "Color space / channel order",
        "Preprocessing", "Resize/letterbox", "Normalize", "Other",
    ],
    "Outputs": ["Raw outputs", "Postprocessing", "Output artifacts produced in this experiment"],
    "How to Run (Repro Commands)": [
        "Smoke test (imports + load model)", "Inference run", "Visualization / decoding",
    ],
    "Inputs discovery": [
        "Workspace search paths checked", "Real inputs found", "Synthetic inputs used",
    ],
    "End-to-end timing (default)": [
        "Method", "Batch size", "Precision", "Total end-to-end", "Preprocess", "Model", "Postprocess",
    ],
    "Throughput / memory (if measured)": ["Throughput", "Peak RAM", "Peak VRAM", "Profiling notes"],
    "User Metrics (Optional)": ["Metric(s)", "Evaluation set", "Result", "Target", "Notes"],
    "Conclusions": [
        "Can the model run end-to-end here?", "Recommended “known-good” invocation", "Next steps",
    ],
    "Appendix": ["Logs", "Reports", "Tutorial"],
}  # fmt: skip

PLACEHOLDERS = re.compile(
    r"\{\{|\}\}|\{%|\bFinding \d|\bRecommendation \d|\bPattern \d|\bTask \d|\bLesson \d|\bReference \d"
    r"|\bBaseline \d|\bClass [123]\b|\bTODO\b|example\.com|\bNone\b|\bnan\b|\bundefined\b|Dataset A\b"
    r"|<short title>|\bYYYY\b|<name|\bcodex_ml\b"
)
"""What a template, an example row or a bug leaves behind."""


def left_over(document: str) -> list[str]:
    """What is not filled in, or came through a bug; code in fenced blocks is none of it."""
    return PLACEHOLDERS.findall(re.sub(r"^ *```.*?^ *```$", "", document, flags=re.MULTILINE | re.DOTALL))


def sections(document: str) -> dict[str, str]:
    """The text below each heading, up to the next heading of its level or a higher one."""
    lines, fenced = [], False
    for line in document.split("\n"):
        fenced ^= line.startswith("```")
        heading = None if fenced else re.match(r"(#{1,6}) (.+)", line)
        lines.append((len(heading.group(1)) if heading else 0, heading.group(2) if heading else line))
    found: dict[str, str] = {}
    for at, (level, words) in enumerate(lines):
        if level:
            below = []
            for other, line in lines[at + 1 :]:
                if 0 < other <= level:
                    break
                below.append(line if not other else "")
            found.setdefault(words.replace("\\", ""), "\n".join(below).strip())
    return found


def tables(text: str) -> list[list[str]]:
    """The columns of each table."""
    rows = text.split("\n")
    return [
        [cell.strip() for cell in rows[at - 1].strip("| ").split("|")]
        for at in range(1, len(rows))
        if re.fullmatch(r"\|(?:\s*:?-+:?\s*\|)+", rows[at].strip())
    ]


def has_columns(text: str, columns: list[str]) -> bool:
    """Whether a table of the text has the columns, in their order, each as the beginning of its own."""

    def fits(own: list[str]) -> bool:
        rest = iter(name.casefold() for name in own)
        return all(any(name.startswith(column.casefold()) for name in rest) for column in columns)

    return any(map(fits, tables(text)))


def field(text: str, name: str) -> str | None:
    """What follows a field: in its row, on its line, or in the lines below; None where nothing does."""
    lines = [re.sub(r"[*`]|<br>", "", line) for line in text.split("\n")]
    wanted = name.casefold()
    for at, line in enumerate(lines):
        if line.startswith("|"):
            first, *cells = (cell.strip() for cell in line.strip("|").split("|"))
            if first.casefold().startswith(wanted) or first.casefold().endswith(f".{wanted}"):
                return " ".join(cells).strip() or None
        words = re.sub(r"^\s*(?:[-+]|\d+\.)?\s*", "", line)
        if words.casefold().startswith(wanted):
            rest = words[len(name) :].lstrip(" :.?") or "\n".join(lines[at + 1 : at + 3]).strip()
            return rest or None
    return None
