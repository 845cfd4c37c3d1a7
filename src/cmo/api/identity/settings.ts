/** What signing in is set to by the configuration. */
import type { Clock } from '../../../common/clock.ts';
import type { Config } from '../../../common/config/index.ts';
import { type Mailer, openMailer } from '../../../common/mail/index.ts';
import { OidcProvider } from './oidc/provider.ts';
import { oidcSettings } from './oidc/settings.ts';

export interface IdentitySettings {
  readonly sessions: {
    /** A session ends after so long whatever happens, seconds > 0. */
    readonly lastSeconds: number;
    /** A session ends after so long without a request, seconds > 0. */
    readonly idleSeconds: number;
  };
  /** Where links in e-mails begin; never taken from a request, whose Host anybody can write. */
  readonly publicUrl?: string | undefined;
  readonly mailer?: Mailer | undefined;
  readonly oidc?: OidcProvider | undefined;
}

/** The settings as the configuration has them. @throws config_invalid */
export function identitySettings(config: Config, clock: Clock): IdentitySettings {
  const { sessions, server, mail } = config;
  const { host, from } = mail;
  const oidc = oidcSettings(config);
  return {
    sessions,
    publicUrl: server.publicUrl,
    mailer: host === undefined || from === undefined ? undefined : openMailer({ ...mail, host, from }),
    oidc: oidc && new OidcProvider(oidc, clock),
  };
}

/** Sending links by e-mail: needs a server to send by and an address for the links to begin with. */
export interface LinkMail {
  readonly mailer: Mailer;
  /** Like `https://solyx.example.com`, without a slash at the end. */
  readonly publicUrl: string;
}

export function linkMailOf({ mailer, publicUrl }: IdentitySettings): LinkMail | undefined {
  return mailer && publicUrl ? { mailer, publicUrl: publicUrl.replace(/\/+$/, '') } : undefined;
}
