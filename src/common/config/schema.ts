/**
 * The configuration: one schema with defaults and descriptions, from which checks, `solyx config print`, the names of
 * environment variables and docs/deployment/configuration.md all derive.
 */
import { z } from 'zod';
import { parseUsd } from '../money.ts';

const dollars = z.union([z.string(), z.number()]).transform((value, context) => {
  const amount = parseUsd(String(value));
  if (amount === undefined || amount < 0n) {
    context.addIssue({ code: 'custom', message: 'expected dollars ≥ 0 with at most six places, like "2.49"' });
    return 0n;
  }
  return amount as bigint;
});

export const configSchema = z.strictObject({
  server: z
    .strictObject({
      host: z.string().min(1).default('127.0.0.1').describe('Address to listen on. Loopback unless told otherwise.'),
      port: z.int().min(0).max(65_535).default(8080).describe('Port to listen on, 0–65535; 0 takes a free one.'),
      tlsCertificate: z
        .string()
        .min(1)
        .optional()
        .describe('File of the certificate (PEM, with intermediate ones) to serve TLS by. Read again when it changes.'),
      tlsKey: z.string().min(1).optional().describe('File of the certificate’s private key (PEM).'),
      plainHttp: z
        .boolean()
        .default(false)
        .describe('Listen without TLS on an address that is not loopback, because something in front ends TLS.'),
      publicUrl: z
        .url({ protocol: /^https?$/ })
        .optional()
        .describe(
          'URL that browsers reach the console by, when a proxy stands in front. Links in e-mails begin with it.',
        ),
    })
    .prefault({})
    .describe('Where the control plane listens.'),
  database: z
    .strictObject({
      url: z
        .string()
        .regex(/^postgres(ql)?:\/\//, 'expected a URL like postgres://user:password@host:5432/database')
        .optional()
        .describe('PostgreSQL 16 or later of your own. Default: the embedded one in the data directory.'),
      poolSize: z.int().min(2).max(100).default(10).describe('Connections per pool and process, 2–100.'),
    })
    .prefault({})
    .describe('Where state lives.'),
  log: z
    .strictObject({
      level: z
        .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
        .default('info')
        .describe('Least level that is logged.'),
    })
    .prefault({})
    .describe('Logs, as JSON lines.'),
  site: z
    .strictObject({
      name: z
        .string()
        .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'expected lower-case letters, digits and "-"')
        .default('local')
        .describe('Name of the site that the local node belongs to.'),
      latitude: z.number().min(-90).max(90).optional().describe('Degrees north, −90–90.'),
      longitude: z.number().min(-180).max(180).optional().describe('Degrees east, −180–180.'),
      gridZone: z.string().min(1).max(64).optional().describe('Grid zone, like `DE` or `US-CAL-CISO`.'),
      pue: z.number().min(1).max(10).default(1.2).describe('Power usage effectiveness, 1–10.'),
      devicePricePerHour: dollars.prefault('0').describe('List price of a whole device, dollars an hour.'),
      cpuPricePerHour: dollars.prefault('0.01').describe('List price of a CPU core, dollars an hour. Default 0.01.'),
      memoryPricePerHour: dollars
        .prefault('0.002')
        .describe('List price of a GiB of memory, dollars an hour. Default 0.002.'),
    })
    .prefault({})
    .describe('The site of this machine; written once, when it does not exist yet.'),
  node: z
    .strictObject({
      enabled: z.boolean().default(true).describe('Whether `solyx up` runs an agent on this machine.'),
      name: z.string().min(1).max(63).optional().describe('Name of the local node. Default: the host name.'),
      isolation: z
        .array(z.enum(['process', 'sandbox', 'container']))
        .default(['sandbox', 'container'])
        .describe(
          'Isolation levels that the operator allows. Where user namespaces are refused only `process` can be offered.',
        ),
      hostNetwork: z.boolean().default(false).describe('Whether jobs may use the network of the host.'),
    })
    .prefault({})
    .describe('The agent on this machine.'),
  scheduler: z
    .strictObject({
      preemptByPriority: z
        .enum(['never', 'same-tenant', 'anyone'])
        .default('same-tenant')
        .describe('Whose work a job of higher priority may end.'),
      leastRunSeconds: z
        .number()
        .min(0)
        .max(31_536_000)
        .default(300)
        .describe('Nothing is ended for other jobs that has not run for so long, seconds.'),
      reserveAfterSeconds: z
        .number()
        .min(0)
        .max(31_536_000)
        .default(300)
        .describe(
          'A job that fits the fleet, but not what is free of it, has nodes kept for it after so long at the earliest, seconds.',
        ),
      order: z
        .enum(['arrival', 'least-work'])
        .default('least-work')
        .describe(
          'Whose turn it is of the jobs of an account with equal priority: who came first, or who is expected to hold least for the shortest time.',
        ),
      powerAware: z
        .boolean()
        .default(true)
        .describe(
          'Whether placement weighs what devices draw: on a fleet with much room it wakes those that draw least, on a full one it does not count.',
        ),
      recordRounds: z
        .string()
        .min(1)
        .optional()
        .describe(
          'Folder that the inputs and plans of the last 1000 rounds are written to, for replay. Default: none.',
        ),
    })
    .prefault({})
    .describe('Who goes before whom.'),
  images: z
    .strictObject({
      folders: z
        .array(z.string().regex(/^\//, 'expected an absolute path'))
        .default([])
        .describe('Folders below which jobs may name images of this machine, `rootfs:/PATH` and `node-archive:/PATH`.'),
      insecureRegistries: z
        .array(z.string().min(1).max(255))
        .default([])
        .describe('Registries, `host` or `host:port`, that are asked without encryption and at any address.'),
      mostGibibytes: z
        .number()
        .min(0.1)
        .max(1_000_000)
        .default(50)
        .describe('Room for images on disk, GiB. Default 50.'),
      pullSeconds: z.int().min(10).max(86_400).default(1_800).describe('Longest time for bringing an image, seconds.'),
    })
    .prefault({})
    .describe('Images of containers.'),
  sessions: z
    .strictObject({
      lastSeconds: z
        .int()
        .min(60)
        .max(2_592_000)
        .default(604_800)
        .describe('A browser session ends after so long whatever happens, seconds; at most 30 days. Default 7 days.'),
      idleSeconds: z
        .int()
        .min(60)
        .max(2_592_000)
        .default(86_400)
        .describe('A browser session ends after so long without a request, seconds. Default a day.'),
    })
    .prefault({})
    .describe('Being signed in with a browser.'),
  secrets: z
    .strictObject({
      keyFile: z
        .string()
        .min(1)
        .optional()
        .describe(
          'File of the key that opens the secret store; the same for every server of a database. Default: `secrets.key` in the data directory, made at the first start.',
        ),
    })
    .prefault({})
    .describe('The secret store.'),
  retention: z
    .strictObject({
      logDays: z
        .int()
        .min(0)
        .max(36_500)
        .default(30)
        .describe('Logs are deleted so many days after their attempt ended.'),
      eventDays: z.int().min(1).max(36_500).default(90).describe('Events are deleted after so many days.'),
      blobDays: z
        .int()
        .min(0)
        .max(36_500)
        .default(30)
        .describe(
          'Bundles, checkpoints and artefacts are deleted so many days after the job that used them ended, at least a day.',
        ),
    })
    .prefault({})
    .describe('How long things are kept. Jobs, usage and the audit log stay.'),
  oidc: z
    .strictObject({
      issuer: z.url().optional().describe('OpenID provider, as it calls itself. Needs `server.publicUrl`.'),
      clientId: z.string().min(1).max(256).optional().describe('What the provider calls this server.'),
      clientSecret: z.string().min(1).optional().describe('Its secret. Better in a file.'),
      clientSecretFile: z.string().min(1).optional().describe('File with the secret; none for public clients.'),
      name: z.string().min(1).max(40).default('single sign-on').describe('What the button says: "Sign in with …".'),
      scopes: z.array(z.string().min(1)).default(['email', 'profile']).describe('Scopes beside `openid`.'),
      allowedDomains: z
        .array(z.string().regex(/^[^\s@]+\.[^\s@]+$/, 'expected a domain like example.com'))
        .default([])
        .describe('E-mail domains that the provider speaks for: their people need no invitation.'),
      tenant: z.string().min(1).max(63).optional().describe('Tenant that they come to. Default: the operator’s.'),
      defaultRole: z
        .enum(['viewer', 'member', 'admin', 'none'])
        .default('viewer')
        .describe('Role of who has no other by `oidc.roleClaim`; `none` refuses them.'),
      roleClaim: z
        .string()
        .min(1)
        .max(256)
        .optional()
        .describe('Claim with groups, read at every sign-in to that tenant. Default: roles are given in Solyx.'),
      adminValues: z.array(z.string().min(1)).default([]).describe('Values of the claim that make an admin.'),
      memberValues: z.array(z.string().min(1)).default([]).describe('Values of the claim that make a member.'),
      viewerValues: z.array(z.string().min(1)).default([]).describe('Values of the claim that make a viewer.'),
    })
    .prefault({})
    .describe('Signing in by an OpenID provider: authorization code with PKCE.'),
  mail: z
    .strictObject({
      host: z.string().min(1).max(253).optional().describe('SMTP server. Default: no e-mail is sent.'),
      port: z.int().min(1).max(65_535).default(587).describe('Its port, 1–65535.'),
      security: z
        .enum(['tls', 'starttls', 'none'])
        .default('starttls')
        .describe('TLS from the first byte (port 465), by STARTTLS (port 587), or none.'),
      user: z.string().min(1).max(254).optional().describe('Login at the server, where it wants one.'),
      passwordFile: z.string().min(1).optional().describe('File with the password of that login.'),
      from: z.string().min(3).max(320).optional().describe('Sender, like `Solyx <solyx@example.com>`. Needed to send.'),
    })
    .prefault({})
    .describe('E-mail. Links in it begin with `server.publicUrl`, without which no links are sent.'),
  notifications: z
    .strictObject({
      allowNetworks: z
        .array(z.string())
        .default([])
        .describe('Networks beside the public internet that web-hooks may go to, like `10.0.0.0/8`. Default none.'),
    })
    .prefault({})
    .describe('Telling people and programs what happened.'),
  limits: z
    .strictObject({
      requestsPerSecond: z.int().min(1).max(1_000_000).default(2_000).describe('Requests a second of one API key.'),
      bundleBytes: z
        .int()
        .min(1024)
        .max(16 * 2 ** 30)
        .default(2 ** 30)
        .describe('Largest working directory bundle, bytes; at most 16 GiB.'),
    })
    .prefault({})
    .describe('What one client may ask for.'),
});

export type Config = z.output<typeof configSchema>;
