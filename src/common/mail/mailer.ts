/**
 * E-mail by SMTP, for whoever has something to say to people: invitations, login links, notifications.
 *
 * Plain text only. Every step has a time limit, because a mail server that accepts and then says nothing would hold whoever
 * waits for it. Texts from outside never reach a header unquoted: nodemailer encodes them and refuses line breaks.
 */
import { readFileSync } from 'node:fs';
import { createTransport } from 'nodemailer';
import { SolyxError } from '../errors/index.ts';

export interface MailSettings {
  readonly host: string;
  /** 1–65535. */
  readonly port: number;
  /** `tls` from the first byte, `starttls` before anything is said, `none`: in the clear. */
  readonly security: 'tls' | 'starttls' | 'none';
  readonly user?: string | undefined;
  /** File with the password; read at every use, so that it can be changed. */
  readonly passwordFile?: string | undefined;
  /** Sender, like `Solyx <solyx@example.com>`. */
  readonly from: string;
}

export interface Mail {
  /** Address, or several who see each other. */
  readonly to: string | readonly string[];
  readonly subject: string;
  readonly text: string;
  /** Name of the message, without brackets: the same for a repeat, so that mail programs show it once. */
  readonly messageId?: string;
}

export interface Mailer {
  /**
   * Hands a mail to the server; it is then the server's to deliver.
   * @throws when the server refuses it or does not answer within 15 s
   */
  send(mail: Mail): Promise<void>;
}

const timeouts = { connectionTimeout: 5_000, greetingTimeout: 5_000, socketTimeout: 10_000, dnsTimeout: 5_000 };

/** Makes a mailer. It holds no connection between mails. */
export function openMailer(settings: MailSettings): Mailer {
  return {
    async send(mail) {
      const transport = createTransport({
        host: settings.host,
        port: settings.port,
        secure: settings.security === 'tls',
        requireTLS: settings.security === 'starttls',
        ignoreTLS: settings.security === 'none',
        ...(settings.user !== undefined && { auth: { user: settings.user, pass: passwordOf(settings) } }),
        disableFileAccess: true,
        disableUrlAccess: true,
        ...timeouts,
      });
      try {
        await transport.sendMail({
          from: settings.from,
          to: [mail.to].flat().map((address) => ({ name: '', address })),
          subject: mail.subject,
          text: mail.text,
          headers: { 'Auto-Submitted': 'auto-generated' },
          ...(mail.messageId !== undefined && { messageId: `<${mail.messageId}>` }),
        });
      } finally {
        transport.close();
      }
    },
  };
}

function passwordOf({ passwordFile }: MailSettings): string {
  if (passwordFile === undefined) return '';
  try {
    return readFileSync(passwordFile, 'utf8').trim();
  } catch (error) {
    const detail = `${passwordFile} cannot be read.`;
    throw new SolyxError('config_invalid', {
      detail,
      issues: [{ at: 'mail.passwordFile', message: detail }],
      cause: error,
    });
  }
}
