export { type Mail, type Mailer, type MailSettings, openMailer } from './mailer.ts';
