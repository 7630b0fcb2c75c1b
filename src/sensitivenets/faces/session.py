"""onnxruntime with limits: a network of somebody else may run for ever, or fill the memory."""

from __future__ import annotations

import contextlib
import threading
from functools import cache
from typing import TYPE_CHECKING, Any

from sensitivenets.errors import InputError
from sensitivenets.faces.network_files import NetworkFiles

if TYPE_CHECKING:
    import numpy.typing as npt
    from onnxruntime import InferenceSession

# Of a trial: a network of 250 MB takes two crops in a tenth of both.
_TRIAL_BYTES = 3 << 30
_ONLY_FATAL = 4


def open_session(files: NetworkFiles, n_threads: int | None, *, limited: bool) -> InferenceSession:
    """Load a network.

    Parameters
    ----------
    files : NetworkFiles
        Weights that lie apart are read beside the ONNX file.
    n_threads : int, optional
        Threads; all unless given.
    limited : bool
        Whether it may take three gigabytes at most, on the processor.

    Returns
    -------
    InferenceSession

    Raises
    ------
    InputError
        With what onnxruntime said.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads or 0
    # What goes wrong is raised; onnxruntime would write it to stderr as well.
    options.log_severity_level = _ONLY_FATAL
    # Of a network read from memory, it would look in the working directory.
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", str(files.path.parent.absolute())
    )
    providers = onnxruntime.get_available_providers()
    if limited:
        _limit_memory()
        options.add_session_config_entry("session.use_env_allocators", "1")
        providers = ["CPUExecutionProvider"]
    try:
        return onnxruntime.InferenceSession(files.content, options, providers=providers)
    except Exception as error:
        # onnxruntime has a class of error for each way to fail, and no common base.
        raise InputError(f"{files.path}: onnxruntime cannot read it: {_said(error)}") from error


@cache
def _limit_memory() -> None:
    """Give onnxruntime a pool of memory that ends; a process has one, whoever makes it first."""
    import onnxruntime

    pool = onnxruntime.OrtArenaCfg({"max_mem": _TRIAL_BYTES})
    about = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    # A program around us may have made one before.
    with contextlib.suppress(RuntimeError):
        onnxruntime.create_and_register_allocator(about, pool)


def run_session(
    session: InferenceSession, output: str, given: dict[str, npt.NDArray[Any]], seconds: float
) -> Any:
    """Compute one output of a network.

    Raises
    ------
    InputError
        If it takes longer, or onnxruntime fails.
    """
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.log_severity_level = _ONLY_FATAL

    def end() -> None:
        options.terminate = True

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        return session.run([output], given, options)[0]
    except Exception as error:
        if options.terminate:
            raise InputError(f"the network took longer than {seconds:g} seconds") from error
        raise InputError(f"onnxruntime: {_said(error)}") from error
    finally:
        timer.cancel()


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
