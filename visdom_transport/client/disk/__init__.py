"""What a publisher keeps on disk until its server has it, so that it outlives the process.

Below the directory that `outbox_dir` names, each publisher has a folder of its own (`folders`), in which it appends what its
calls left behind (`log`, in the form of `batches`). Whoever comes later takes over the folder of a process that has ended
(`owner`) and sends what is in it under its id and numbers (`course`, `delivery`), so that the server applies nothing twice.
"""
