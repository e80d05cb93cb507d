"""Holds what the peers share: their flags and the bounds of the local day they count."""
import argparse
import datetime as dt
import resource
import zoneinfo

MICROS = 1_000_000


def arguments(what, keys, counts):
    p = argparse.ArgumentParser(description=what)
    p.add_argument("--events", required=True, help="folder of Parquet files: event_time, subscriber_id, cell_id")
    p.add_argument("--cells", required=True, help="CSV: cell_id, postal_code")
    p.add_argument("--from", dest="day", required=True, help="the local day, such as 2026-10-15")
    p.add_argument("--timezone", default="Europe/Brussels")
    p.add_argument("--hold-minutes", type=int, default=30)
    p.add_argument("--step-minutes", type=int, default=15)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--repeat", type=int, default=5)
    p.add_argument("--key", choices=keys, default=keys[0], help="how subscribers are told apart")
    p.add_argument("--count", choices=counts, default=counts[0], help="how intervals become counts")
    args = p.parse_args()
    args.hold, args.step = args.hold_minutes * 60 * MICROS, args.step_minutes * 60 * MICROS
    return args


def day_bounds(args):
    """Microseconds of the local midnights that the day lies between."""
    zone = zoneinfo.ZoneInfo(args.timezone)
    first = dt.date.fromisoformat(args.day)
    return [int(dt.datetime(d.year, d.month, d.day, tzinfo=zone).timestamp()) * MICROS for d in (first, first + dt.timedelta(days=1))]


def peak_bytes():
    """The most memory that this process had at once, by Linux; a JVM beside it is not in it."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
