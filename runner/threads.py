"""How many threads take the next steps: as many as are seen to be faster.

Results do not depend on the number of threads, so it may change from one chunk of steps to the
next. A run starts with one; more are tried for a chunk once there is something to gain, and
kept where a step then takes less time on the clock. Now and then the choice is tried again,
since other programs come and go.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

#: Seconds that a number of threads runs before another is tried, and that a trial takes.
SETTLED, TRIAL = 0.004, 0.001

#: A number of threads must take at most so much of the time of a smaller one to be kept.
GAIN = 0.95

#: Seconds until a number that did not pay is tried again, at first and at most.
PATIENCE, LONGEST = 0.25, 8.0


def available() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(slots=True)
class Threads:
    """Chooses the number of threads, at most `most`; where `fixed`, always that many."""

    most: int
    fixed: bool = False
    settled: int = 1
    #: The number on trial, 0 where there is none, and its seconds per step.
    trial: int = 0
    _trial_rate: float = 0.0
    _rate: float = 0.0
    _spent: float = 0.0
    _wait: float = SETTLED
    _patience: float = PATIENCE
    _upwards: bool = True

    def __post_init__(self) -> None:
        self.most = max(1, self.most)
        if self.fixed:
            self.settled = self.most

    @property
    def now(self) -> int:
        """How many threads the next steps get."""
        return self.trial or self.settled

    def took(self, steps: int, seconds: float) -> None:
        """Take note of a chunk of `steps` that took `seconds` on the clock with `now` threads."""
        if self.fixed or self.most == 1 or steps < 1:
            return
        rate = seconds / steps
        self._spent += seconds
        if self.trial:
            # The first chunk of a trial makes threads and fills caches; the best one counts.
            self._trial_rate = min(self._trial_rate or rate, rate)
            if self._spent >= 2 * TRIAL:
                self._judge()
            return
        self._rate = rate
        if self._spent >= self._wait and seconds >= TRIAL:
            self.trial = self._next(upwards=self._upwards) or self._next(upwards=not self._upwards)
            self._trial_rate = self._spent = 0.0

    def _next(self, *, upwards: bool) -> int:
        """Return the number to try in a direction, 0 where there is none."""
        number = min(2 * self.settled, self.most) if upwards else self.settled // 2
        return number if number != self.settled else 0

    def _judge(self) -> None:
        rates = {self.settled: self._rate, self.trial: self._trial_rate}
        fewer, more = sorted(rates)
        best = more if rates[more] < GAIN * rates[fewer] else fewer
        taken = best == self.trial
        self._upwards = (self.trial > self.settled) == taken
        self.settled, self.trial, self._spent = best, 0, 0.0
        if taken and self._next(upwards=self._upwards):
            self._wait = SETTLED
        else:
            self._wait = self._patience
            self._patience = min(LONGEST, 2 * self._patience)
