"""A search over settings: each is tried in a process of `multiprocess`, which logs as it goes, and ends when it is done."""

from multiprocess import Process
from pace import Run
from visdom import Visdom

WORKERS = 2


def work(port: int, env: str, step: int, worker: int) -> None:
    vis = Visdom(server="http://127.0.0.1", port=port, env=env, use_incoming_socket=False)
    for point in range(5):
        vis.line(
            X=[point], Y=[point * step + worker], win=f"try {step}/{worker}", update="append", opts={"title": f"{step}/{worker}"}
        )


def main() -> None:
    with Run() as run:
        for step in run.steps():
            if step % 20 != 10:
                continue
            workers = [Process(target=work, args=(run.port, run.env, step, worker)) for worker in range(WORKERS)]
            for each in workers:
                each.start()
            for worker, each in enumerate(workers):
                each.join()
                for point in range(5):
                    run.point(f"{step}/{worker}", "1", point * step + worker)


main()
