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

/** Networks beside the public internet that web-hooks may go to. @throws config_invalid naming the key */
export function webHookNetworks({ notifications }: Pick<Config, 'notifications'>): readonly string[] {
  const { allowNetworks } = notifications;
  try {
    parseNetworks(allowNetworks);
  } catch (error) {
    const at = 'notifications.allowNetworks';
    const message = `expected networks like 10.0.0.0/8 (${(error as Error).message})`;
    throw new SolyxError('config_invalid', { detail: `${at}: ${message}.`, issues: [{ at, message }] });
  }
  return allowNetworks;
}

/** @throws config_invalid naming the key */
export function notificationSettings(config: Pick<Config, 'mail' | 'notifications' | 'server'>): NotificationSettings {
  const { host, from } = config.mail;
  return {
    mailer: host === undefined || from === undefined ? undefined : openMailer({ ...config.mail, host, from }),
    allowNetworks: webHookNetworks(config),
    publicUrl: config.server.publicUrl,
  };
}
