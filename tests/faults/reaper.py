"""Takes in the processes that others leave behind, so that they do not stay as zombies and their
processor time is known: a private dxtd is nobody's child once the dxtctl that started it has ended.
"""

import ctypes
import os
import pathlib
import resource
import signal
import sys
import traceback

PR_SET_CHILD_SUBREAPER = 36


def run_beneath(function):
    """What that returns, run in a child of this process, which adopts all that it leaves behind."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = function()
        except SystemExit as end:  # Of --help, or of words that it does not know.
            code = end.code or 0
        except BaseException:  # pylint: disable=broad-except
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The child has it as well, and ends us.
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def seconds_used():
    """Of processors, user and system, by this process and by all that began beneath it and has ended."""
    mine = sum(sum(resource.getrusage(who)[:2])
               for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    fields = pathlib.Path(f"/proc/{os.getppid()}/stat").read_text().rsplit(")", 1)[1].split()
    adopted = sum(map(int, fields[13:15])) / os.sysconf("SC_CLK_TCK")
    return mine + adopted
