"""@databricks/sql for Node, over Thrift or by its kernel. What it does is in node.mjs; what must come of it is script.py's."""

import json
import os
import sys

import script
from workspace import ENDLESS, HTTP_PATH, TOKEN

if __name__ == "__main__":
    told = {
        "path": HTTP_PATH,
        "token": TOKEN,
        "types": {name: expression for name, (expression, _) in script.TYPES.items()},
        # A third, still more than a chunk: every row becomes an object.
        "large": {"text": script.large_of(script.LARGE_ROWS // 3), "rows": script.LARGE_ROWS // 3},
        "failures": script.FAILURES,
        "tables": script.TABLES,
        "endless": ENDLESS,
    }
    os.environ["BACKEND"] = sys.argv[1]
    os.execvp("node", ["node", os.path.join(os.path.dirname(__file__), "node.mjs"), json.dumps(told)])
