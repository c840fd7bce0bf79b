/** What is used of the packages node-pg and node-redis, which come without types. */
declare module 'pg' {
  export class Pool {
    constructor(options: {
      host: string | undefined;
      user: string;
      database: string;
      password: string;
      max: number;
    });
    query<Row>(text: string, values?: readonly unknown[]): Promise<{ rows: Row[] }>;
    on(event: 'error', listener: (error: Error) => void): void;
    end(): Promise<void>;
  }
}

declare module 'redis' {
  export interface RedisClient {
    connect(): Promise<void>;
    get(key: string): Promise<string | null>;
    setEx(key: string, seconds: number, value: string): Promise<unknown>;
    del(key: string): Promise<number>;
    on(event: 'error', listener: (error: Error) => void): void;
    quit(): Promise<void>;
  }
  export function createClient(options: { url: string | undefined; password: string }): RedisClient;
}
