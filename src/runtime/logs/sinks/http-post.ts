import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';

export interface HttpAnswer {
  status: number;
  body: string;
}

/** How long a service may be silent. */
const silenceMs = 30_000;

/** @throws when there is no answer */
export function httpPost(url: URL, headers: Record<string, string>, body: Buffer): Promise<HttpAnswer> {
  const request = url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const asked = request(
      url,
      { method: 'POST', headers: { ...headers, 'Content-Length': body.length }, timeout: silenceMs },
      response => {
        const chunks: Buffer[] = [];
        response.on('data', chunk => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() });
        });
      },
    );
    asked.on('timeout', () => asked.destroy(new Error(`${url.host} does not answer`)));
    asked.on('error', reject);
    asked.end(body);
  });
}
