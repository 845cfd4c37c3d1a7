/**
 * Which images go when there are too many bytes of them: those that were not used for the longest time, never one that
 * an attempt on this node still has.
 */
import type { StoredImage } from './image-folder.ts';

/**
 * @param images all of them
 * @param inUse keys that must stay
 * @param mostBytes what those that stay may take, as far as use allows
 * @returns keys to delete, the longest unused first
 */
export function imagesToDelete(
  images: readonly Pick<StoredImage, 'key' | 'sizeBytes' | 'usedAt'>[],
  inUse: ReadonlySet<string>,
  mostBytes: number,
): string[] {
  let bytes = images.reduce((sum, image) => sum + image.sizeBytes, 0);
  const oldest = images
    .filter(({ key }) => !inUse.has(key))
    .sort((a, b) => a.usedAt.getTime() - b.usedAt.getTime() || (a.key < b.key ? -1 : 1));
  const victims: string[] = [];
  for (const { key, sizeBytes } of oldest) {
    if (bytes <= mostBytes) break;
    bytes -= sizeBytes;
    victims.push(key);
  }
  return victims;
}
