"""The parts of bench/run: a private sshd, contenders, jobs, measuring and the report."""
