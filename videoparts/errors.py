"""Every error that videoparts raises on purpose.

::

    VideoPartsError
    ├── SourceError         an input cannot be opened or decoded
    │   └── DecoderHangError    a decoder gave no frame within its time
    ├── SettingsError       an option's value makes no sense, alone or with the others
    ├── WeightsError        weights cannot be found, read, or do not fit the model
    ├── ModelMismatchError  a part model was made by another extractor than the one given
    ├── FitError            nothing to cluster: too few descriptors, or no object
    ├── OutputError         an output cannot be written
    ├── DependencyError     an optional package is needed and not installed
    └── ClipsFailedError    some clips of a batch, or pictures of a set, could not be done, the others are

A message is one line: what was given, what is wrong with it, what to do. The command line prints it and exits
with `VideoPartsError.status`; a traceback is for mistakes of ours.
"""


class VideoPartsError(Exception):
    """The base of all errors below."""

    status = 2
    """The exit status of a command that ends so."""


class SourceError(VideoPartsError):
    """An input cannot be opened or decoded."""


class DecoderHangError(SourceError):
    """A decoder gave no frame within its time and was stopped."""


class SettingsError(VideoPartsError):
    """An option's value makes no sense, alone or together with the others."""


class WeightsError(VideoPartsError):
    """Weights cannot be found, cannot be read, or do not fit the model."""


class ModelMismatchError(VideoPartsError):
    """A part model was made by another extractor than the one it is given."""


class FitError(VideoPartsError):
    """There is nothing to cluster: too few descriptors, or no object found."""


class OutputError(VideoPartsError):
    """An output cannot be written."""


class DependencyError(VideoPartsError):
    """An optional package is needed and is not installed."""


class ClipsFailedError(VideoPartsError):
    """Some clips of a batch, or pictures of a set, could not be done, the others are."""

    status = 1
