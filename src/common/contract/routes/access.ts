/** Who asks and who pays: tenants, projects, keys. */
import { z } from 'zod';
import { id, instant, list, name, page } from './parts.ts';
import { defineRoute, roles } from './route.ts';

export const role = z.enum(roles);

const project = z.object({ id: id('project'), name: z.string(), createdAt: instant }).meta({ id: 'Project' });

const tenant = z
  .object({ id: id('tenant'), name: z.string(), operator: z.boolean(), createdAt: instant })
  .meta({ id: 'Tenant' });

export const key = z
  .object({
    id: id('key'),
    name: z.string(),
    kind: z.enum(['api', 'join', 'node']),
    role,
    project: z.object({ id: id('project'), name: z.string() }),
    user: z
      .object({ id: id('user'), name: z.string() })
      .nullable()
      .describe('Person or service account that it belongs to; it may do no more than they may.'),
    siteId: id('site').nullable().describe('join: the site that nodes join.'),
    nodeId: id('node').nullable().describe('node: the node that the token is bound to.'),
    usesLeft: z.int().nullable(),
    createdAt: instant,
    expiresAt: instant.nullable(),
    revokedAt: instant.nullable(),
    lastUsedAt: instant.nullable(),
  })
  .meta({ id: 'Key' });

export const createdKey = key.extend({ secret: z.string().describe('The key itself; shown only here.') });

/** Who is asking. */
export const whoami = z
  .object({
    keyId: id('key').describe('The key, or the session.'),
    role,
    operator: z.boolean(),
    tenant: z.object({ id: id('tenant'), name: z.string() }),
    project: z.object({ id: id('project'), name: z.string() }),
    user: z
      .object({ id: id('user'), name: z.string(), email: z.string().nullable(), kind: z.enum(['person', 'service']) })
      .nullable()
      .describe('null: the key is nobody’s.'),
    session: z.object({ expiresAt: instant }).nullable().describe('null: asked with an API key.'),
  })
  .meta({ id: 'Whoami' });

export const accessRoutes = {
  createTenant: defineRoute('createTenant', {
    summary: 'Create a tenant with a project and an admin key, whose secret is shown once',
    access: { role: 'admin', operator: true },
    body: z.strictObject({ name, project: name.default('default').describe('Name of its first project.') }),
    status: 201,
    answer: 'json',
    response: z.object({
      id: id('tenant'),
      name: z.string(),
      operator: z.boolean(),
      createdAt: instant,
      project,
      key: createdKey,
    }),
    errors: ['already_exists'],
  }),
  listTenants: defineRoute('listTenants', {
    summary: 'List tenants',
    access: { role: 'viewer', operator: true },
    query: z.strictObject(page),
    status: 200,
    answer: 'json',
    response: list(tenant),
    errors: ['cursor_invalid'],
  }),
  updateTenant: defineRoute('updateTenant', {
    summary: 'Give a tenant another name; what belongs to it knows it by its id',
    access: { role: 'admin', operator: true },
    params: z.strictObject({ id: id('tenant') }),
    body: z.strictObject({ name }),
    status: 200,
    answer: 'json',
    response: tenant,
    errors: ['already_exists'],
  }),
  createProject: defineRoute('createProject', {
    summary: 'Create a project',
    access: { role: 'admin' },
    body: z.strictObject({ name }),
    status: 201,
    answer: 'json',
    response: project,
    errors: ['already_exists'],
  }),
  listProjects: defineRoute('listProjects', {
    summary: 'List the projects of the tenant',
    access: { role: 'viewer' },
    query: z.strictObject(page),
    status: 200,
    answer: 'json',
    response: list(project),
    errors: ['cursor_invalid'],
  }),
  updateProject: defineRoute('updateProject', {
    summary: 'Give a project another name; specs that name the old one are refused from then on',
    access: { role: 'admin' },
    params: z.strictObject({ id: id('project') }),
    body: z.strictObject({ name }),
    status: 200,
    answer: 'json',
    response: project,
    errors: ['already_exists'],
  }),
  removeProject: defineRoute('removeProject', {
    summary: 'Delete a project that nothing belongs to',
    access: { role: 'admin' },
    params: z.strictObject({ id: id('project') }),
    status: 204,
    answer: 'none',
    response: z.undefined(),
    errors: ['conflict'],
  }),
  createKey: defineRoute('createKey', {
    summary: 'Create an API key, or a join token for nodes; the secret is shown once',
    access: { role: 'admin' },
    body: z.strictObject({
      name,
      kind: z
        .enum(['api', 'join'])
        .default('api')
        .describe('`join` lets nodes join a site; only operators make those.'),
      role: role.default('member'),
      project: name.optional().describe('Name of its project. Default: that of the asking key.'),
      siteId: id('site').optional().describe('join: the site. Needed there.'),
      uses: z.int().min(1).max(10_000).optional().describe('join: how many nodes may join. Default 1.'),
      expiresInSeconds: z.int().min(1).max(31_536_000).optional().describe('Default: api never, join 86400.'),
    }),
    status: 201,
    answer: 'json',
    response: createdKey,
    errors: [],
  }),
  listKeys: defineRoute('listKeys', {
    summary: 'List the keys of the tenant; never their secrets',
    access: { role: 'admin' },
    query: z.strictObject(page),
    status: 200,
    answer: 'json',
    response: list(key),
    errors: ['cursor_invalid'],
  }),
  revokeKey: defineRoute('revokeKey', {
    summary: 'Revoke a key; it is refused everywhere within a second',
    access: { role: 'admin' },
    params: z.strictObject({ id: id('key') }),
    status: 200,
    answer: 'json',
    response: key,
    errors: [],
  }),
  whoami: defineRoute('whoami', {
    summary: 'Say whose key or session this is',
    access: { role: 'viewer' },
    status: 200,
    answer: 'json',
    response: whoami,
    errors: [],
  }),
};
