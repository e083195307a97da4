"""The command line, for what outlasts a notebook; it calls the same functions as the notebooks do.

    python -m diffusion_lib train --data digits --steps 3000 --out runs/digits
    python -m diffusion_lib sample runs/digits/model.safetensors --label 3 --guidance 2 --out threes.png
    python -m diffusion_lib evaluate digits
    python -m diffusion_lib autoencoder --data shapes --fresh --out runs/autoencoder
    python -m diffusion_lib info runs/digits/model.safetensors
    python -m diffusion_lib gallery runs/digits/model.safetensors --out gallery.html
    python -m diffusion_lib export site
    python -m diffusion_lib export slides --out talk
    python -m diffusion_lib release my_course

A model is a file, or the name of one that comes with the course. Several processes or GPUs are started by
Hugging Face accelerate,

    accelerate launch --multi_gpu --num_processes 2 -m diffusion_lib train …

which split the batch and end with the same weights up to rounding; without GPUs it runs that many processes on the CPU.
An error is one line on stderr and exit status 2; Ctrl-C is exit status 130.

A command is a module here with ``add_options(parser)`` and ``run(options)``, loaded when it is asked for. Its options
follow from the functions and classes that it calls, see :mod:`~diffusion_lib.cli.arguments`.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

from .arguments import Parser

COMMANDS = {
    "train": "Train a model; write checkpoints, a log of every step and a picture of samples.",
    "autoencoder": "Train an autoencoder, for a model of its latents (train --latent).",
    "sample": "Draw new samples from a model, as a picture.",
    "evaluate": "Measure how far samples are from real data, beside real data itself.",
    "gallery": "Write a model's samples, walk and nearest training pictures as one web page.",
    "info": "Say what a model file holds.",
    "export": "Write the course as web pages or slides that need no server.",
    "progress": "Say which exercises you have solved, and how your predictions went.",
    "inventory": "Say how much of the concept inventory is answered, export it, and count a class's gain.",
    "release": "Write the course as assignments of nbgrader, with marking guides.",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status: 0, 2 after an error, 130 when interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parser(*arguments[:1]).parse_args(arguments)
    try:
        options.run(options)
    except KeyboardInterrupt as interruption:
        print(f"\n{one_line(interruption) or 'interrupted'}", file=sys.stderr)
        return 130
    except (ValueError, ArithmeticError, OSError, ImportError) as error:
        if os.environ.get("RANK", "0") == "0":  # of several processes, one speaks
            print(f"diffusion_lib {options.command}: {one_line(error)}", file=sys.stderr)
        return 2
    return 0


def one_line(error: BaseException) -> str:
    """An error's message without its line breaks; a file error as "path: what happened"."""
    text = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
    return " ".join(text.split())


def parser(command: str | None = None) -> Parser:
    """All commands, with the options of one of them; to know a command's options, its module is loaded, and torch."""
    root = Parser(prog="diffusion_lib", description="Train diffusion models and sample from them.")
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        subparser = commands.add_parser(name, help=summary, description=summary)
        if name == command:
            module = import_module(f".{name}", __package__)
            module.add_options(subparser)
            subparser.set_defaults(run=module.run)
    return root
