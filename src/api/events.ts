export type EventType =
  | 'builder'
  | 'container'
  | 'daemon'
  | 'image'
  | 'network'
  | 'plugin'
  | 'volume'
  | 'config'
  | 'node'
  | 'secret'
  | 'service';

/** One line of `GET /events?since=&until=&filters=`. The lower-case fields are of the oldest API, still sent. */
export interface EventMessage {
  status?: string;
  id?: string;
  from?: string;
  Type: EventType;
  Action: string;
  Actor: { ID: string; Attributes: Record<string, string> };
  scope?: 'local' | 'swarm';
  /** Seconds. */
  time: number;
  /** Beyond 2^53: JSON readers that need it exactly must read it as text. */
  timeNano: number;
}
