/**
 * What a job may name as its image, and how the name is read.
 *
 *   alpine:3.20, ghcr.io/team/app@sha256:…     in a registry
 *   oci-archive:app.tar                        a file beside the spec; the CLI uploads it
 *   oci-archive:sha256:<64 hex digits>         the same on the wire: an uploaded blob
 *   node-archive:/images/app.tar               a file of the node, in a folder that its operator allows
 *   rootfs:/images/root                        a folder of the node that is the root file system itself, likewise
 *
 * Registry names follow the grammar of the distribution project (reference.go): a first part with a dot, a colon or the
 * name `localhost` is the host, otherwise it is Docker Hub's.
 */
export type ImageReference =
  | {
      readonly kind: 'registry';
      /** Host with an optional port, such as `registry-1.docker.io` or `localhost:5000`. */
      readonly host: string;
      /** Path in the registry, such as `library/alpine`. */
      readonly repository: string;
      /** Null when a digest is given alone. */
      readonly tag: string | null;
      /** `sha256:…`, or null: whatever the tag points at when the job starts. */
      readonly digest: string | null;
    }
  | { readonly kind: 'upload'; readonly sha256: string }
  | { readonly kind: 'archive-to-upload'; readonly path: string }
  | { readonly kind: 'node-archive'; readonly path: string }
  | { readonly kind: 'rootfs'; readonly path: string };

/** Why a text names no image, with what would be right. */
export interface BadImage {
  readonly kind: 'bad';
  readonly why: string;
}

const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const repositoryPattern = new RegExp(`^${component}(?:/${component})*$`);
const hostPattern =
  /^(?:\[[0-9a-fA-F:]+\]|[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*)(?::\d{1,5})?$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const digestPattern = /^sha256:[0-9a-f]{64}$/;

const bad = (why: string): BadImage => ({ kind: 'bad', why });

/** Reads the name of an image. Never throws: what is wrong is said. */
export function parseImage(text: string): ImageReference | BadImage {
  if (text.startsWith('oci-archive:')) return parseArchive(text.slice('oci-archive:'.length));
  if (text.startsWith('node-archive:')) return parseNodePath('node-archive', text.slice('node-archive:'.length));
  if (text.startsWith('rootfs:')) return parseNodePath('rootfs', text.slice('rootfs:'.length));
  return parseRegistry(text.replace(/^docker:\/\//, ''));
}

function parseArchive(rest: string): ImageReference | BadImage {
  if (rest === '') return bad('expected oci-archive:PATH');
  if (!rest.startsWith('sha256:')) return { kind: 'archive-to-upload', path: rest };
  const sha256 = rest.slice('sha256:'.length);
  return /^[0-9a-f]{64}$/.test(sha256)
    ? { kind: 'upload', sha256 }
    : bad('expected oci-archive:sha256: and 64 hexadecimal digits');
}

function parseNodePath(kind: 'node-archive' | 'rootfs', path: string): ImageReference | BadImage {
  if (!path.startsWith('/')) return bad(`expected ${kind}:/PATH, an absolute path on the node`);
  const parts = path.slice(1).split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..')) {
    return bad(`expected ${kind}:/PATH without "..", "." or "//"`);
  }
  return { kind, path };
}

function parseRegistry(text: string): ImageReference | BadImage {
  const [named, digest = null, ...more] = text.split('@');
  if (more.length > 0 || (digest !== null && !digestPattern.test(digest))) {
    return bad('expected a digest like @sha256: and 64 hexadecimal digits');
  }
  const slash = named!.indexOf('/');
  const first = slash < 0 ? '' : named!.slice(0, slash);
  const hasHost = first === 'localhost' || /[.:]/.test(first);
  const rest = hasHost ? named!.slice(slash + 1) : named!;
  const colon = rest.lastIndexOf(':');
  const hasTag = colon > rest.lastIndexOf('/');
  const path = hasTag ? rest.slice(0, colon) : rest;
  const tag = hasTag ? rest.slice(colon + 1) : null;
  const name = hasHost ? first : 'docker.io';
  if (!hostPattern.test(name)) return bad(`"${name}" is not a host of a registry`);
  if (path.length > 255 || !repositoryPattern.test(path)) {
    return bad(`"${path}" is not a name in a registry; expected lower case like "team/app"`);
  }
  if (tag !== null && !tagPattern.test(tag)) return bad(`"${tag}" is not a tag`);
  const isHub = name === 'docker.io' || name === 'index.docker.io';
  return {
    kind: 'registry',
    host: isHub ? 'registry-1.docker.io' : name,
    repository: isHub && !path.includes('/') ? `library/${path}` : path,
    tag: tag ?? (digest === null ? 'latest' : null),
    digest,
  };
}

/** The level at which a job is placed: one with an image needs a container at least. */
export function isolationOf<Level extends string>(spec: {
  readonly image?: string | undefined;
  readonly isolation: Level;
}): Level | 'container' {
  const isWeaker = spec.isolation === 'process' || spec.isolation === 'sandbox';
  return spec.image !== undefined && isWeaker ? 'container' : spec.isolation;
}
