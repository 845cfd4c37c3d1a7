/**
 * Whom clients trust: the authorities that Node brings, and those in the file of `SOLYX_CA_FILE`.
 *
 * For servers whose certificate a company's own authority signed. `NODE_EXTRA_CA_CERTS` does the same for those who know Node.
 * Certificates are always verified; there is no switch against that.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { SolyxError } from '../errors/index.ts';

/** Trusts what the file holds (PEM, one or several certificates), in this whole process. @throws config_invalid */
export function trustCaFile(file: string | undefined): void {
  if (file === undefined || file === '') return;
  let certificates: string[];
  try {
    certificates =
      readFileSync(file, 'utf8').match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
    if (certificates.length === 0) throw new Error('it holds no certificate in PEM');
    for (const certificate of certificates) new X509Certificate(certificate);
  } catch (error) {
    const message = `${file}: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`;
    throw new SolyxError('config_invalid', { detail: `${message}.`, issues: [{ at: 'SOLYX_CA_FILE', message }] });
  }
  setDefaultCACertificates([...getCACertificates('default'), ...certificates]);
}
