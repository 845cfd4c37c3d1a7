/** Check of the server's own certificate: usable, and not soon at its end. What is renewed by a forgotten job ends on a weekend. */
import { X509Certificate } from 'node:crypto';
import { SolyxError } from '../../common/errors/index.ts';
import { loadTls } from '../../common/http/tls.ts';
import { type Check, failed, ok, skipped, warning } from './check.ts';

/** A certificate that ends earlier is named, days. */
const soonDays = 7;

export const checkCertificate: Check = async ({ config }) => {
  if (config === undefined) return [skipped('certificate', 'The configuration is not valid.')];
  const { tlsCertificate: certificate, tlsKey: key } = config.server;
  if (certificate === undefined || key === undefined) return [];
  let ends: Date;
  try {
    ends = new X509Certificate(loadTls({ certificate, key }).cert).validToDate;
  } catch (error) {
    const [issue] = error instanceof SolyxError ? error.issues : [];
    const found = issue ? `${issue.at}: ${issue.message}.` : (error as Error).message;
    return [failed('certificate', found, 'Put certificate and key, both in PEM, where the configuration says.')];
  }
  const days = (ends.getTime() - Date.now()) / 86_400_000;
  const cure = `Renew ${certificate}; a server that runs takes the new one by itself.`;
  const date = ends.toISOString();
  if (days <= 0) return [failed('certificate', `It ended at ${date}.`, cure)];
  if (days < soonDays) return [warning('certificate', `It ends in ${days.toFixed(1)} days, at ${date}.`, cure)];
  return [ok('certificate', `It is good until ${date}.`)];
};
