"""Stands for the slow service that the monitor sample watches: each look finds it further on."""

from __future__ import annotations

from collections import defaultdict


class Transcoder:
    """Gets a quarter of a video done between two looks."""

    def __init__(self) -> None:
        self.looks: defaultdict[str, int] = defaultdict(int)

    def progress(self, video: str) -> int:
        """Percent of the video that is done."""
        percent = min(100, 25 * self.looks[video])
        self.looks[video] += 1
        return percent


TRANSCODER = Transcoder()
