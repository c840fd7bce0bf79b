import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { EngineError, errnoOf, within } from '../stdx/errors.ts';

const keyBytes = 32;

/**
 * What secrets are encrypted with: a file of 44 characters (base64) that root alone reads. It is made with the first
 * secret and read when it is needed, so that a daemon without it runs on, and one that gets it back needs no restart.
 */
export class SecretKey {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** @throws EngineError `unavailable` when there is none, saying what to do */
  toDecrypt(): Buffer {
    const key = this.#read();
    if (key === undefined) throw this.#lost('secrets cannot be decrypted');
    return key;
  }

  /**
   * @param options.mayMake no secret needs another one
   * @throws EngineError `unavailable`
   */
  toEncrypt({ mayMake }: { mayMake: boolean }): Buffer {
    const key = this.#read();
    if (key !== undefined) return key;
    // With a new one, putting the old one back would lose what was encrypted meanwhile.
    if (!mayMake) throw this.#lost('no secret can be added to those that were encrypted with it');
    return this.#make();
  }

  #read(): Buffer | undefined {
    let text: string;
    try {
      text = readFileSync(this.path, 'latin1').trim();
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw within(`reading the key of secrets ${this.path}`, error);
    }
    const key = Buffer.from(text, 'base64');
    if (key.length === keyBytes && key.toString('base64') === text) return key;
    throw new EngineError(
      'unavailable',
      `${this.path} is not a key of secrets: put the right one there from a backup, or remove it with all secrets and create them again`,
    );
  }

  /** Written aside and synced: a key that is there is whole, and stays when power fails. */
  #make(): Buffer {
    const key = randomBytes(keyBytes);
    const beside = `${this.path}.new`;
    try {
      rmSync(beside, { force: true });
      const file = openSync(beside, 'wx', 0o600);
      try {
        writeSync(file, `${key.toString('base64')}\n`);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(beside, this.path);
      syncDirectory(dirname(this.path));
    } catch (error) {
      throw within(`making the key of secrets ${this.path}`, error);
    }
    return key;
  }

  #lost(consequence: string): EngineError {
    return new EngineError(
      'unavailable',
      `the key of secrets ${this.path} is missing, ${consequence}: put it there from a backup, or remove all secrets and create them again`,
    );
  }
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
