/**
 * Manifests and indexes of images (OCI image-spec, and Docker's schema 2, which differ in names only), read as what they
 * are: JSON by strangers.
 */
import { z } from 'zod';
import { PullError } from './pull-error.ts';

export const digestPattern = /^sha256:[0-9a-f]{64}$/;
const digest = z.string().regex(digestPattern);
const size = z
  .number()
  .int()
  .min(0)
  .max(2 ** 45);

const descriptor = z.object({
  mediaType: z.string().max(256).optional(),
  digest,
  size,
  platform: z
    .object({ architecture: z.string().max(64), os: z.string().max(64), variant: z.string().max(64).optional() })
    .optional(),
});
export type Descriptor = z.infer<typeof descriptor>;

const manifest = z.object({ config: descriptor, layers: z.array(descriptor).max(512) });
export type ImageManifest = z.infer<typeof manifest>;
const index = z.object({ manifests: z.array(descriptor).min(1).max(1024) });

/** Of Docker's own archives (`docker save`): files by their path. */
const dockerArchive = z
  .array(z.object({ Config: z.string().max(512), Layers: z.array(z.string().max(512)).max(512) }))
  .min(1);

/** What such images are accepted as, best first. */
export const manifestTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];

/** Largest JSON of an image that is read, bytes. */
export const mostJsonBytes = 8 * 1_048_576;

/** @throws PullError `image_invalid` */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new PullError('image_invalid', `${what} is no JSON`, { cause });
  }
}

/** An image's manifest, or the list of one for each platform. @throws PullError `image_invalid` */
export function parseManifest(
  value: unknown,
): { kind: 'manifest'; manifest: ImageManifest } | { kind: 'index'; manifests: Descriptor[] } {
  const asManifest = manifest.safeParse(value);
  if (asManifest.success) return { kind: 'manifest', manifest: asManifest.data };
  const asIndex = index.safeParse(value);
  if (asIndex.success) return { kind: 'index', manifests: asIndex.data.manifests };
  throw new PullError('image_invalid', 'its manifest is neither an image nor an index of images');
}

/** @throws PullError `image_invalid` */
export function parseDockerArchive(value: unknown): { config: string; layers: string[] } {
  const parsed = dockerArchive.safeParse(value);
  if (!parsed.success) throw new PullError('image_invalid', 'manifest.json is not one of "docker save"');
  const { Config, Layers } = parsed.data[0]!;
  return { config: Config, layers: Layers };
}

/** Architecture in the words of images. @param arch Node's, such as `x64` */
export const imageArchitecture = (arch: string = process.arch): string =>
  ({ x64: 'amd64', arm64: 'arm64', ia32: '386', ppc64: 'ppc64le' })[arch] ?? arch;

/**
 * The entry of an index for this machine; one that names no platform stands for any.
 * @throws PullError `image_not_found`
 */
export function choosePlatform(manifests: readonly Descriptor[], architecture = imageArchitecture()): Descriptor {
  const found =
    manifests.find(({ platform }) => platform?.os === 'linux' && platform.architecture === architecture) ??
    manifests.find(({ platform }) => platform === undefined);
  if (found !== undefined) return found;
  const offered = manifests.map(({ platform }) => `${platform?.os}/${platform?.architecture}`).slice(0, 16);
  throw new PullError('image_not_found', `it exists for ${offered.join(', ')}, not for linux/${architecture}`);
}
