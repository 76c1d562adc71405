"""What LiteRT's interpreter says of the tensors of a file, and of the numbers in them."""

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType


def file_tensors(model):
    """Of each tensor, by its index: name, type, shape, scales, zero points; of constants also their 64 bins."""
    interpreter = Interpreter(
        model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    interpreter.allocate_tensors()
    ops = interpreter._get_ops_details()
    made = {index for op in ops for index in op["outputs"]} | {detail["index"] for detail in interpreter.get_input_details()}
    # Kernels have tensors of their own, which hold whatever was in memory: only what ops read and none makes is constant.
    constants = {index for op in ops for index in op["inputs"]} - made
    return {
        str(detail["index"]): described(interpreter, detail, detail["index"] in constants)
        for detail in interpreter.get_tensor_details()
    }


def described(interpreter, detail, is_constant):
    quantization = detail["quantization_parameters"]
    found = {
        "name": detail["name"],
        "type": np.dtype(detail["dtype"]).name,
        "shape": detail["shape"].tolist(),
        "scales": quantization["scales"].tolist(),
        "zero_points": quantization["zero_points"].tolist(),
    }
    return {**found, **counted(interpreter.get_tensor(detail["index"]))} if is_constant else found


def counted(values):
    edges = {"int8": (-128, 128), "uint8": (0, 256)}.get(values.dtype.name, (values.min(), values.max()))
    low, high = (edges[0] - 0.5, edges[1] + 0.5) if edges[0] == edges[1] else edges
    counts, _ = np.histogram(values.astype(np.float64), bins=64, range=(float(low), float(high)))
    return {"counts": counts.tolist(), "min": float(values.min()), "max": float(values.max()), "size": int(values.nbytes)}
