/** The configuration's part of notifications, checked at the start rather than at the first of them. */
import type { Config } from '../../../common/config/index.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import { type Mailer, openMailer } from '../../../common/mail/index.ts';
import { parseNetworks } from './address-guard.ts';

export interface NotificationSettings {
  readonly mailer: Mailer | undefined;
  readonly allowNetworks: readonly string[];
  readonly publicUrl: string | undefined;
}

/** @throws config_invalid naming the key */
export function notificationSettings(config: Pick<Config, 'mail' | 'notifications' | 'server'>): NotificationSettings {
  const { allowNetworks } = config.notifications;
  const { host, from } = config.mail;
  try {
    parseNetworks(allowNetworks);
  } catch (error) {
    const at = 'notifications.allowNetworks';
    const message = `expected networks like 10.0.0.0/8 (${(error as Error).message})`;
    throw new SolyxError('config_invalid', { detail: `${at}: ${message}.`, issues: [{ at, message }] });
  }
  return {
    mailer: host === undefined || from === undefined ? undefined : openMailer({ ...config.mail, host, from }),
    allowNetworks,
    publicUrl: config.server.publicUrl,
  };
}
