/** The configuration's part of notifications: SMTP server and allowed networks, checked at the start rather than at the first mail. */
import { readFileSync } from 'node:fs';
import type { Config } from '../../../common/config/index.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import { parseNetworks } from './address-guard.ts';
import type { SmtpSettings } from './email.ts';

export interface NotificationSettings {
  readonly smtp: SmtpSettings | undefined;
  readonly allowNetworks: readonly string[];
  readonly publicUrl: string | undefined;
}

/** @throws config_invalid naming the key */
export function notificationSettings(config: Pick<Config, 'smtp' | 'notifications' | 'server'>): NotificationSettings {
  const { allowNetworks } = config.notifications;
  try {
    parseNetworks(allowNetworks);
  } catch (error) {
    throw invalid('notifications.allowNetworks', `expected networks like 10.0.0.0/8 (${(error as Error).message})`);
  }
  return { smtp: smtpSettings(config.smtp), allowNetworks, publicUrl: config.server.publicUrl };
}

function smtpSettings({ host, port, secure, user, passwordFile, from }: Config['smtp']): SmtpSettings | undefined {
  if (host === undefined) return undefined;
  if (from === undefined) throw invalid('smtp.from', 'is needed with smtp.host: the address that mails come from');
  let password: string | undefined;
  try {
    password = passwordFile === undefined ? undefined : readFileSync(passwordFile, 'utf8').trim();
  } catch (error) {
    throw invalid('smtp.passwordFile', `${passwordFile} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  return { host, port, secure, user, password, from };
}

function invalid(at: string, message: string): SolyxError {
  return new SolyxError('config_invalid', { detail: `${at}: ${message}.`, issues: [{ at, message }] });
}
