#!/usr/bin/env python3
"""make_trace.py MPI_H OUTPUT

Writes a C file that wraps every function of mpi.h and of the headers beside it that it includes (MPICH has its
prototypes there): each call is noted, then passed on to its PMPI name. The notes go to $TRACE.RANK when MPI ends, one
word a line; trace.h has the rest."""
import pathlib
import re
import sys

PROTOTYPE = re.compile(r"^\s*(?:OMPI_DECLSPEC\s+)?int\s+(MPI_\w+)\s*\(([^;]*?)\)[^;()]*(?:\([^;]*\))?[^;()]*;", re.M)
NOT_WRAPPED = {"MPI_Init", "MPI_Init_thread", "MPI_Finalize", "MPI_Pcontrol"}
FORTRAN_2008 = re.compile(r"f08")  # of statuses: in MPICH's header, and in another library


def argument_name(argument):
    return re.findall(r"\w+", re.sub(r"\[[^\]]*\]", "", argument))[-1]


def wrapper(name, arguments):
    if arguments.strip() == "void":
        names = []
    else:
        names = [argument_name(a) for a in arguments.split(",")]
    return (f"int {name}({arguments})\n{{\n    note(\"{name}\");\n"
            f"    return P{name}({', '.join(names)});\n}}\n")


def read_header(path):
    """Its text without comments."""
    return re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.S)


def main(header, output):
    header = pathlib.Path(header)
    text = read_header(header)
    beside = [header.parent / name for name in re.findall(r'#\s*include\s+[<"](\w+\.h)[>"]', text)]
    text = "\n".join([text, *(read_header(path) for path in beside if path.exists())])
    profiled = set(re.findall(r"\bP(MPI_\w+)\s*\(", text))
    macros = set(re.findall(r"#\s*define\s+(MPI_\w+)\(", text))  # functions that the standard removed
    seen, parts = NOT_WRAPPED | macros, ['#include "bench/tests/trace.h"\n']
    for name, arguments in PROTOTYPE.findall(text):
        arguments = " ".join(arguments.split())
        if name in profiled and name not in seen and "..." not in arguments and not FORTRAN_2008.search(name):
            seen.add(name)
            parts.append(wrapper(name, arguments))
    if len(parts) < 200:
        sys.exit(f"make_trace.py: {len(parts)} functions in {header}; expected some hundreds")
    with open(output, "w", encoding="utf-8") as file:
        file.write("\n".join(parts))


main(*sys.argv[1:])
