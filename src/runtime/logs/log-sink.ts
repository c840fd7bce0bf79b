import type { LogMessage } from './log-message.ts';

/** Where a log driver puts lines. It is used by one caller at a time. */
export interface LogSink {
  /**
   * Delivers messages in order; connects when it is not connected. What is left is offered again, together with what
   * came meanwhile.
   * @param final there is no more to come: nothing may be kept for being put together with later lines
   * @returns how many were taken over by the receiver
   * @throws when not even the first was; it will be tried again
   */
  write(messages: readonly LogMessage[], final: boolean): Promise<number>;
  /** What it wants to be given when it is opened again after the daemon has ended; a small plain value. */
  state?(): Readonly<Record<string, number>>;
  close(): Promise<void>;
}
