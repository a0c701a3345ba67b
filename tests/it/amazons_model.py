"""Reads each JSON text of standard input with Amazon's own model, and fails where it cannot, or where writing it again
gives something else: a member that the model does not know is lost on the way.
"""

import json
import pydoc
import sys

from ask_sdk_core.serialize import DefaultSerializer

serializer = DefaultSerializer()
for line in sys.stdin:
    read = serializer.deserialize(line, pydoc.locate(sys.argv[1]))
    written = json.loads(json.dumps(serializer.serialize(read)).replace("+00:00", "Z"))
    if written != json.loads(line):
        sys.exit(f"{line}became\n{json.dumps(written)}")
