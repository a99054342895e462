"""`python -m specchat.bench.gpu`."""

from specchat.commands.bench.gpu import gpu_app

if __name__ == "__main__":
    gpu_app(prog_name="python -m specchat.bench.gpu")
