"""Everything msaformer raises for something a user can cause, beside `data_tools.errors`.

MSAFormerError
├── ConfigError      a configuration file, key or value is wrong (exit code 2)
├── WeightsError     a weights file is damaged, or made for another architecture
├── CheckpointError  a training checkpoint is damaged, missing, or made by another configuration
├── TrainingError    a run cannot go on (no usable examples, a loss that is not finite)
├── LogError         the log of a run cannot be read, or holds nothing to draw
├── PeerError        another process of the run failed or is lost
└── PredictionError  a prediction is too large for the memory; a file of one is damaged, or does not fit its use
    └── ScoreFileError   a file of scores, ours or another program's, breaks its format or is not of this query
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


class LogError(MSAFormerError):
    """The log of a training run cannot be read, or holds nothing to draw."""


class PeerError(MSAFormerError):
    """Another process of the run failed or is lost; that one's own error says why.

    `is_told`: this is known to have been printed by the other, so that it need not be printed again.
    `exit_code`: the other's, 2 when the configuration is wrong.
    """

    def __init__(self, message: str, *, is_told: bool = False, exit_code: int = 1) -> None:
        super().__init__(message)
        self.is_told = is_told
        self.exit_code = exit_code


class PredictionError(MSAFormerError):
    """A prediction is too large for the memory, or a file of one is damaged, or does not fit its use."""


class ScoreFileError(PredictionError):
    """A file of scores of pairs, ours or another program's, breaks its format or is not of this query."""
