/**
 * Sends a web-hook: signed, to a checked address, with an end to everything.
 *
 * The signature covers a time, so that a receiver can refuse what somebody recorded and sends again later, and the body byte for
 * byte: `Solyx-Signature: t=<unix seconds>,v1=<hex HMAC-SHA-256 of "<t>.<body>">`. `Solyx-Delivery` stays the same over repeats.
 * Of the answer only the status counts and is kept: what an address inside the operator's network says is no tenant's to read.
 */
import { createHmac } from 'node:crypto';
import { request as plainRequest, type RequestOptions } from 'node:http';
import { request as secureRequest } from 'node:https';
import { resolveTarget } from './address-guard.ts';

export interface Hook {
  readonly url: string;
  /** What signs, as it was shown to whoever made the channel. */
  readonly secret: string;
  readonly deliveryId: string;
  readonly event: string;
  readonly body: string;
}

export type Sent =
  | { readonly kind: 'sent'; readonly status: number | null }
  | { readonly kind: 'refused'; readonly status: number | null; readonly error: string };

export interface HookOptions {
  /** Networks beside the public internet, from the configuration. */
  readonly allowNetworks: readonly string[];
  readonly now: Date;
  /** Longest time for all of it, ms; default 10,000. */
  readonly timeoutMs?: number;
  /** Cuts the try off. */
  readonly signal?: AbortSignal;
}

/** Bytes of an answer that are read (and thrown away) so that the connection ends well. */
const mostAnswerBytes = 65_536;

/** The value of `Solyx-Signature`. @param seconds unix time */
export function sign(secret: string, seconds: number, body: string): string {
  const digest = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
  return `t=${seconds},v1=${digest}`;
}

/** Sends one web-hook. Never throws. Redirects are not followed. */
export async function sendHook(hook: Hook, options: HookOptions): Promise<Sent> {
  const url = new URL(hook.url);
  const target = await resolveTarget(url, options.allowNetworks);
  if (target.kind === 'refused') return { kind: 'refused', status: null, error: target.why };
  const deadline = AbortSignal.timeout(options.timeoutMs ?? 10_000);
  const signal = options.signal ? AbortSignal.any([deadline, options.signal]) : deadline;
  const isSecure = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const body = Buffer.from(hook.body);
  const settings: RequestOptions & { servername?: string } = {
    method: 'POST',
    // The address that was checked, whatever the name means by now; certificates are still checked against the name.
    host: target.address,
    family: target.family,
    port: url.port || (isSecure ? 443 : 80),
    path: `${url.pathname}${url.search}`,
    ...(isSecure && { servername: host }),
    agent: false,
    signal,
    headers: {
      host: url.host,
      'content-type': 'application/json; charset=utf-8',
      'content-length': body.length,
      'user-agent': 'Solyx',
      'solyx-event': hook.event,
      'solyx-delivery': hook.deliveryId,
      'solyx-signature': sign(hook.secret, Math.floor(options.now.getTime() / 1000), hook.body),
    },
  };
  return new Promise<Sent>((resolve) => {
    const sent = (isSecure ? secureRequest : plainRequest)(settings, (response) => {
      const status = response.statusCode ?? 0;
      const verdict = judge(status);
      let bytes = 0;
      response.on('data', (part: Buffer) => {
        bytes += part.length;
        if (bytes > mostAnswerBytes) response.destroy();
      });
      response.once('error', () => undefined);
      response.once('close', () => resolve(verdict));
    });
    sent.once('error', (error: NodeJS.ErrnoException) => {
      const late = options.signal?.aborted ? 'the server stopped' : 'no answer in time';
      const why = signal.aborted ? late : (error.code ?? error.message);
      resolve({ kind: 'refused', status: null, error: String(why).slice(0, 200) });
    });
    sent.end(body);
  });
}

function judge(status: number): Sent {
  if (status >= 200 && status < 300) return { kind: 'sent', status };
  const error = status >= 300 && status < 400 ? 'redirects are not followed' : `answered ${status}`;
  return { kind: 'refused', status, error };
}
