/**
 * TLS by a certificate of the operator's own: two PEM files, read again when they change.
 *
 * Renewals (certbot, cert-manager, a cron job) replace files and know nothing of us, so the files are looked at every few seconds
 * rather than waiting for a signal; `fs.watch` misses what Kubernetes does with links. A renewal is taken only when certificate and
 * key fit together, so one that is half written (or wrong) changes nothing and is said once; connections that stand go on.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import type { Server } from 'node:http';
import type { Server as SecureServer } from 'node:https';
import { createSecureContext } from 'node:tls';
import { type Issue, SolyxError } from '../errors/index.ts';
import type { Logger } from '../logger.ts';

export interface TlsFiles {
  /** PEM: the certificate, then the intermediate ones. */
  readonly certificate: string;
  /** PEM: its private key, without a passphrase. */
  readonly key: string;
}

export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
  readonly minVersion: 'TLSv1.2';
}

const lookMs = 2_000;

/**
 * Reads certificate and key and makes sure that they work together.
 * @throws config_invalid naming `server.tlsCertificate` or `server.tlsKey` and what is wrong with it
 */
export function loadTls(files: TlsFiles): TlsMaterial {
  const cert = readPem('server.tlsCertificate', files.certificate);
  const key = readPem('server.tlsKey', files.key);
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(cert);
  } catch {
    throw invalid('server.tlsCertificate', `${files.certificate} holds no certificate in PEM`);
  }
  let fits: boolean;
  try {
    fits = certificate.checkPrivateKey(createPrivateKey(key));
  } catch {
    throw invalid('server.tlsKey', `${files.key} holds no private key in PEM, or one with a passphrase`);
  }
  if (!fits) throw invalid('server.tlsKey', `${files.key} is not the key of ${files.certificate}`);
  const material = { cert, key, minVersion: 'TLSv1.2' as const };
  try {
    createSecureContext(material);
  } catch (error) {
    throw invalid('server.tlsCertificate', `${files.certificate} cannot be used: ${(error as Error).message}`);
  }
  return material;
}

/** Serves by new files as soon as they are there and fit together. @returns stops looking */
export function watchTls(server: Server, files: TlsFiles, logger: Logger): () => void {
  let seen = stampOf(files);
  const timer = setInterval(() => {
    const now = stampOf(files);
    if (now === seen) return;
    seen = now;
    try {
      const material = loadTls(files);
      (server as unknown as SecureServer).setSecureContext(material);
      const { subject, validTo } = new X509Certificate(material.cert);
      logger.info({ subject, validTo }, 'serving by a new certificate');
    } catch (error) {
      logger.error({ err: error }, 'the new certificate cannot be used; the one before stays');
    }
  }, lookMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** Changes with every replacement of either file, by content or by link. */
function stampOf(files: TlsFiles): string {
  return [files.certificate, files.key]
    .map((file) => {
      const stat = statSync(file, { throwIfNoEntry: false });
      return stat ? `${stat.dev}:${stat.ino}:${stat.mtimeMs}:${stat.size}` : 'missing';
    })
    .join(' ');
}

function readPem(at: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw invalid(at, `${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

function invalid(at: string, message: string): SolyxError {
  const issues: Issue[] = [{ at, message }];
  return new SolyxError('config_invalid', { detail: `${at}: ${message}.`, issues });
}
