"""Everything msaformer raises for something a user can cause, beside `data_tools.errors`.

MSAFormerError
├── ConfigError      a configuration file, key or value is wrong (exit code 2)
├── WeightsError     a weights file is damaged, or made for another architecture
├── CheckpointError  a training checkpoint is damaged, missing, or made by another configuration
├── TrainingError    a run cannot go on (no usable examples, a loss that is not finite)
└── PredictionError  a prediction file is damaged, or does not fit what it is used with
"""


class MSAFormerError(Exception):
    """Base of all expected errors; the message is one line: what, where, what to do."""


class ConfigError(MSAFormerError):
    """A configuration file, key or value is wrong."""


class WeightsError(MSAFormerError):
    """A weights file is damaged, or made for another architecture."""


class CheckpointError(MSAFormerError):
    """A training checkpoint is damaged, missing, or made by another configuration."""


class TrainingError(MSAFormerError):
    """A training run cannot go on."""


class PredictionError(MSAFormerError):
    """A prediction file is damaged, or does not fit what it is used with."""
