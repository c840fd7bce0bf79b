import type { EventMessage } from '../../api/events.ts';

/** Local time in the parts that it is shown in. */
export interface EventTime {
  /** `2026-01-31` */
  date: string;
  /** `23:59:59` */
  clock: string;
  /** Nine digits. */
  nanoseconds: string;
  /** `Z` or `+02:00` */
  zone: string;
}

export function eventTime({ time, timeNano }: Pick<EventMessage, 'time' | 'timeNano'>): EventTime {
  const ns = timeNano ? BigInt(timeNano) : BigInt(time) * 1_000_000_000n;
  const date = new Date(Number(ns / 1_000_000n));
  const offset = -date.getTimezoneOffset();
  const local = new Date(date.getTime() + offset * 60_000).toISOString();
  const two = (value: number) => String(Math.trunc(value)).padStart(2, '0');
  return {
    date: local.slice(0, 10),
    clock: local.slice(11, 19),
    nanoseconds: String(ns % 1_000_000_000n).padStart(9, '0'),
    zone:
      offset === 0
        ? 'Z'
        : `${offset < 0 ? '-' : '+'}${two(Math.abs(offset) / 60)}:${two(Math.abs(offset) % 60)}`,
  };
}
