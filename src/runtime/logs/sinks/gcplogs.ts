import { createSign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { EngineError } from '../../../stdx/errors.ts';
import { type LogMessage, utcTime } from '../log-message.ts';
import { booleanOption, invalidOption } from '../log-option-values.ts';
import type { LogSink } from '../log-sink.ts';
import { commandOf, extraAttributes, type LogOptions, type LogSource } from '../log-source.ts';
import { httpPost } from './http-post.ts';

export interface GcpLogsConfig {
  /** Where entries are written; `https://logging.googleapis.com` unless GANTRY_GCP_ENDPOINT says otherwise. */
  endpoint: string;
  project: string;
  /** Path of a service account's key. */
  keyFile: string;
  instance: { id: string; name: string; zone: string } | undefined;
  container: Record<string, unknown>;
}

const defaultEndpoint = 'https://logging.googleapis.com';

/** @param env the daemon's: names the key of the service account */
export function parseGcpLogsConfig(
  source: LogSource,
  options: LogOptions,
  env: Readonly<Record<string, string | undefined>>,
): GcpLogsConfig {
  const project = options['gcp-project'] || env['GOOGLE_CLOUD_PROJECT'] || '';
  if (project === '') {
    throw invalidOption(
      "No project was specified and couldn't read project from the metadata server. Please specify a project",
    );
  }
  const keyFile = env['GOOGLE_APPLICATION_CREDENTIALS'] ?? '';
  if (keyFile === '') {
    throw invalidOption(
      'no credentials for gcplogs driver: GOOGLE_APPLICATION_CREDENTIALS is not in the environment of the daemon',
    );
  }
  const [id = '', name = '', zone = ''] = ['gcp-meta-id', 'gcp-meta-name', 'gcp-meta-zone'].map(
    option => options[option] ?? '',
  );
  const metadata = extraAttributes(source, options);
  return {
    endpoint: env['GANTRY_GCP_ENDPOINT'] || defaultEndpoint,
    project,
    keyFile,
    instance: id === '' && name === '' && zone === '' ? undefined : { id, name, zone },
    container: {
      id: source.id,
      name: `/${source.name}`,
      imageName: source.imageName,
      imageId: source.imageId,
      created: new Date(source.createdAtMs).toISOString(),
      ...(booleanOption(options, 'gcp-log-cmd', false) ? { command: commandOf(source) } : {}),
      ...(Object.keys(metadata).length > 0 ? { metadata } : {}),
    },
  };
}

const mostBatchEntries = 1000;

/** Google's logging through its JSON API: entries:write, with a token for the service account. */
export class GcpLogsSink implements LogSink {
  readonly #config: GcpLogsConfig;
  #token: { text: string; untilMs: number } | undefined;

  constructor(config: GcpLogsConfig) {
    this.#config = config;
  }

  async write(messages: readonly LogMessage[]): Promise<number> {
    const { project, instance, container, endpoint } = this.#config;
    const batch = messages.slice(0, mostBatchEntries);
    const body = {
      logName: `projects/${project}/logs/gcplogs-docker-driver`,
      resource: { type: 'global', labels: { project_id: project } },
      entries: batch.map(message => ({
        timestamp: utcTime(message),
        jsonPayload: {
          ...(instance === undefined ? {} : { instance }),
          container,
          message: message.line.toString(),
        },
      })),
    };
    const answer = await httpPost(
      new URL('/v2/entries:write', endpoint),
      { 'Content-Type': 'application/json', Authorization: `Bearer ${await this.#accessToken()}` },
      Buffer.from(JSON.stringify(body)),
    );
    if (answer.status === 401) this.#token = undefined;
    if (answer.status !== 200) {
      throw new EngineError('unavailable', `entries:write: ${answer.status} ${answer.body.slice(0, 300)}`);
    }
    return batch.length;
  }

  async close(): Promise<void> {}

  /** OAuth 2.0 for service accounts: a signed claim is exchanged for a token. */
  async #accessToken(): Promise<string> {
    if (this.#token !== undefined && Date.now() < this.#token.untilMs) return this.#token.text;
    const key = JSON.parse(readFileSync(this.#config.keyFile, 'utf8')) as ServiceAccountKey;
    const nowS = Math.floor(Date.now() / 1000);
    const claim = {
      iss: key.client_email,
      scope: 'https://www.googleapis.com/auth/logging.write',
      aud: key.token_uri,
      iat: nowS,
      exp: nowS + 3600,
    };
    const unsigned = [{ alg: 'RS256', typ: 'JWT' }, claim].map(base64Url).join('.');
    const signature = createSign('RSA-SHA256').update(unsigned).sign(key.private_key, 'base64url');
    const form = new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      assertion: `${unsigned}.${signature}`,
    });
    const answer = await httpPost(
      new URL(key.token_uri),
      { 'Content-Type': 'application/x-www-form-urlencoded' },
      Buffer.from(form.toString()),
    );
    if (answer.status !== 200) {
      throw new EngineError('unavailable', `getting a token: ${answer.status} ${answer.body.slice(0, 300)}`);
    }
    const { access_token: text, expires_in: lastsS } = JSON.parse(answer.body) as TokenAnswer;
    // Renewed a minute before it ends.
    this.#token = { text, untilMs: Date.now() + (lastsS - 60) * 1000 };
    return text;
  }
}

interface ServiceAccountKey {
  client_email: string;
  private_key: string;
  token_uri: string;
}

interface TokenAnswer {
  access_token: string;
  expires_in: number;
}

function base64Url(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
