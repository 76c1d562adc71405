"""What TensorFlow Lite Micro and the schema of tflite-support say of exported models."""

import zipfile
from io import BytesIO

import numpy as np


def run_micro(model, inputs, arena_size, tensors):
    """Outputs of each input, and what each tensor of the file held after it; `tensors` empty keeps none."""
    from tflite_micro.python.tflite_micro import runtime

    keep = len(tensors) > 0
    config = runtime.InterpreterConfig.kPreserveAllTensors if keep else runtime.InterpreterConfig.kAllocationRecording
    interpreter = runtime.Interpreter.from_bytes(bytes(model), arena_size=arena_size, intrepreter_config=config)
    results = []
    for each in inputs:
        interpreter.set_input(each, 0)
        interpreter.invoke()
        kept = [np.array(interpreter.GetTensor(index, 0)["tensor_data"]) for index in tensors]
        results.append([np.array(interpreter.get_output(0)), kept])
    return results


def support_metadata(model):
    """The entry TFLITE_METADATA as nested dictionaries, by the names of its schema; None where there is none."""
    from tensorflow_lite_support.metadata import metadata_schema_py_generated as metadata
    from tensorflow_lite_support.metadata import schema_py_generated as schema

    root = schema.Model.GetRootAsModel(bytes(model), 0)
    for entry in (root.Metadata(index) for index in range(root.MetadataLength())):
        if entry.Name() != b"TFLITE_METADATA":
            continue
        data = root.Buffers(entry.Buffer()).DataAsNumpy().tobytes()
        if not metadata.ModelMetadata.ModelMetadataBufferHasIdentifier(data, 0):
            raise ValueError("the metadata have another identifier")
        return plain(metadata.ModelMetadataT.InitFromObj(metadata.ModelMetadata.GetRootAsModelMetadata(data, 0)))
    return None


def plain(value):
    """Objects of generated code as dictionaries without what is left out."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, (list, np.ndarray)):
        return [plain(each) for each in value]
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "__dict__"):
        return {name: plain(each) for name, each in vars(value).items() if each is not None}
    return value


def files_behind(model):
    """The files of the archive behind a model, as Python's zipfile reads them."""
    with zipfile.ZipFile(BytesIO(bytes(model))) as archive:
        if archive.testzip() is not None:
            raise ValueError("the archive is damaged")
        return {name: archive.read(name).decode() for name in archive.namelist()}
