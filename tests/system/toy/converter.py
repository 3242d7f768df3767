"""The names of a model's layers, as a program."""

import json

from perfcast.errors import SourceError

MAX_LAYERS = 8


class LayersJson:
    name = "layers.json"
    PACKAGES = ()

    @staticmethod
    def convert(built):
        layers = [layer["name"] for layer in built.descriptor["layers"]]
        if len(layers) > MAX_LAYERS:
            raise SourceError(f"{len(layers)} layers are more than {MAX_LAYERS}")
        ports = {
            kind: [{key: port["name"], "shape": port["shape"], "dtype": "float32"} for port in built.descriptor[kind]]
            for kind, key in (("inputs", "node"), ("outputs", "tensor"))
        }
        return json.dumps(layers).encode(), ports
