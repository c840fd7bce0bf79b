import { createCipheriv, createDecipheriv, randomBytes, randomInt } from 'node:crypto';
import { EngineError } from '../stdx/errors.ts';
import type { Database } from './database.ts';
import type { SecretKey } from './secret-key.ts';

/** All of a secret but its value, which nobody is shown. */
export interface Secret {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Counts the changes; an update names the one it has seen. */
  readonly version: number;
  readonly createdMs: number;
  readonly updatedMs: number;
}

export interface SecretOptions {
  name: string;
  value: Buffer;
  labels?: Record<string, string>;
}

/**
 * Secrets: rows whose values are encrypted (AES-256-GCM), bound to id and name, so that a value moved to another row
 * is refused. The key is beside the database, not in it (secret-key.ts). Names differ in more than case, as in Docker.
 */
export class SecretStore {
  readonly #database: Database;
  readonly #key: SecretKey;

  constructor(options: { database: Database; key: SecretKey }) {
    this.#database = options.database;
    this.#key = options.key;
    this.#database.migrate('secrets', migrations);
  }

  /** @throws EngineError `invalid` (name, size), `conflict` (name, a lost key), in Docker's words */
  create({ name, value, labels = {} }: SecretOptions): Secret {
    checkName(name);
    if (value.length === 0 || value.length >= tooManyBytes) {
      throw new EngineError(
        'invalid',
        `secret data must be larger than 0 and less than ${tooManyBytes} bytes`,
      );
    }
    if (this.#rowNamed(name, 'collate nocase') !== undefined) {
      throw new EngineError('conflict', `secret ${name} already exists`);
    }
    const key = this.#key.toEncrypt({ mayMake: this.list().length === 0 });
    const id = newId();
    const now = Date.now();
    this.#database
      .prepare(
        `insert into secrets (id, name, labels, version, created_ms, updated_ms, sealed) values (?, ?, ?, 1, ?, ?, ?)`,
      )
      .run(id, name, JSON.stringify(labels), now, now, seal(key, { id, name }, value));
    return { id, name, labels, version: 1, createdMs: now, updatedMs: now };
  }

  /** @param ref an id, a name or the beginning of an id, tried in this order as dockerd does */
  find(ref: string): Secret | undefined {
    const exact = this.#rowOf(ref) ?? this.#rowNamed(ref);
    if (exact !== undefined) return secretOf(exact);
    const fitting = ref === '' ? [] : this.list().filter(({ id }) => id.startsWith(ref));
    if (fitting.length > 1) {
      throw new EngineError('invalid', `secret ${ref} is ambiguous (${fitting.length} matches found)`);
    }
    return fitting[0];
  }

  named(name: string): Secret | undefined {
    const row = this.#rowNamed(name);
    return row === undefined ? undefined : secretOf(row);
  }

  /** @throws EngineError `notFound`: `secret x not found` */
  get(ref: string): Secret {
    const secret = this.find(ref);
    if (secret === undefined) throw new EngineError('notFound', `secret ${ref} not found`);
    return secret;
  }

  /** Sorted by name. */
  list(): Secret[] {
    const rows = this.#database.prepare(`select ${columns} from secrets order by name`).all();
    return (rows as unknown as SecretRow[]).map(secretOf);
  }

  /** @throws EngineError `conflict` when somebody else has changed it since that version */
  setLabels(secret: Secret, version: number, labels: Record<string, string>): void {
    const { changes } = this.#database
      .prepare(
        'update secrets set labels = ?, version = version + 1, updated_ms = ? where id = ? and version = ?',
      )
      .run(JSON.stringify(labels), Date.now(), secret.id, version);
    if (changes === 0) throw new EngineError('conflict', 'update out of sequence');
  }

  remove(secret: Secret): void {
    this.#database.prepare('delete from secrets where id = ?').run(secret.id);
  }

  /**
   * The value, for the one place that needs it: the files of a container.
   * @throws EngineError `corrupt`, `unavailable` when the key is missing or another one: it says what to do
   */
  reveal(secret: Secret): Buffer {
    const { sealed } = this.#database
      .prepare('select sealed from secrets where id = ?')
      .get(secret.id) as unknown as { sealed: Uint8Array };
    const key = this.#key.toDecrypt();
    try {
      return unseal(key, secret, Buffer.from(sealed));
    } catch (error) {
      throw new EngineError(
        'corrupt',
        `secret ${secret.name} cannot be decrypted: ${this.#key.path} is not the key it was encrypted with, or its row is damaged: put the right key there, or remove the secret and create it again`,
        { cause: error },
      );
    }
  }

  #rowOf(id: string): SecretRow | undefined {
    const row = this.#database.prepare(`select ${columns} from secrets where id = ?`).get(id);
    return row as unknown as SecretRow | undefined;
  }

  #rowNamed(name: string, collation = ''): SecretRow | undefined {
    const row = this.#database
      .prepare(`select ${columns} from secrets where name = ? ${collation}`)
      .get(name);
    return row as unknown as SecretRow | undefined;
  }
}

const migrations = [
  `create table secrets (
     id text primary key,
     name text not null,
     labels text not null,
     version integer not null,
     created_ms integer not null,
     updated_ms integer not null,
     sealed blob not null
   ) strict;
   create unique index secrets_by_name on secrets (name collate nocase)`,
];

const columns = 'id, name, labels, version, created_ms, updated_ms';

interface SecretRow {
  id: string;
  name: string;
  labels: string;
  version: number;
  created_ms: number;
  updated_ms: number;
}

function secretOf(row: SecretRow): Secret {
  return {
    id: row.id,
    name: row.name,
    labels: JSON.parse(row.labels) as Record<string, string>,
    version: row.version,
    createdMs: row.created_ms,
    updatedMs: row.updated_ms,
  };
}

const tooManyBytes = 500 * 1024;

function checkName(name: string): void {
  if (name === '') throw new EngineError('invalid', 'name must be provided');
  if (name.length <= 64 && /^[a-zA-Z0-9]([a-zA-Z0-9_.-]*[a-zA-Z0-9])?$/.test(name)) return;
  throw new EngineError(
    'invalid',
    'invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end character must be [a-zA-Z0-9]',
  );
}

/** 25 digits to the base 36, as swarm's ids are. */
function newId(): string {
  return Array.from({ length: 25 }, () => randomInt(36).toString(36)).join('');
}

const cipher = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;

/**
 *     nonce (12 bytes, random) | tag (16) | ciphertext, as long as the value
 */
function seal(key: Buffer, bound: Pick<Secret, 'id' | 'name'>, value: Buffer): Buffer {
  const nonce = randomBytes(nonceBytes);
  const encrypting = createCipheriv(cipher, key, nonce, { authTagLength: tagBytes });
  encrypting.setAAD(boundTo(bound));
  const ciphertext = Buffer.concat([encrypting.update(value), encrypting.final()]);
  return Buffer.concat([nonce, encrypting.getAuthTag(), ciphertext]);
}

function unseal(key: Buffer, bound: Pick<Secret, 'id' | 'name'>, sealed: Buffer): Buffer {
  const nonce = sealed.subarray(0, nonceBytes);
  const decrypting = createDecipheriv(cipher, key, nonce, { authTagLength: tagBytes });
  decrypting.setAAD(boundTo(bound));
  decrypting.setAuthTag(sealed.subarray(nonceBytes, nonceBytes + tagBytes));
  return Buffer.concat([decrypting.update(sealed.subarray(nonceBytes + tagBytes)), decrypting.final()]);
}

function boundTo({ id, name }: Pick<Secret, 'id' | 'name'>): Buffer {
  return Buffer.from(JSON.stringify([id, name]));
}
