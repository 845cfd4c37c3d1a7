import { describe, expect, it } from 'vitest';
import type { StartPayload } from '../../../../src/common/contract/agent/protocol.ts';
import { PullError, pullErrorCodes } from '../../../../src/metapod/agent/images/pull-error.ts';
import { type ContainerDependencies, prepareContainer } from '../../../../src/metapod/agent/prepare-container.ts';

describe('a container whose devices cannot be in it here', () => {
  it('is refused with a code, before its image is brought, and may be tried again elsewhere', async () => {
    const device = { kind: 'gpu-nvidia', index: 0, uuid: 'GPU-that-no-machine-has', nodes: [] };
    const images = { take: () => Promise.reject(new Error('the image was asked for')) };
    const deps = { images, driver: { kind: 'runtime' }, installation: 'i' } as unknown as ContainerDependencies;
    const refused = await prepareContainer(
      { image: 'anything' } as StartPayload,
      [device],
      deps,
      async () => null,
      () => undefined,
      new AbortController().signal,
    ).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(PullError);
    expect(refused).toMatchObject({ code: 'image_no_device', isPassing: true });
    expect((refused as PullError).detail).toMatch(/NVIDIA Container Toolkit|CDI/);
  });
});

describe('the codes of images', () => {
  it('tell what may pass from what never will', () => {
    expect(pullErrorCodes.filter((code) => new PullError(code, 'why').isPassing).sort()).toEqual([
      'image_no_device',
      'image_no_space',
      'image_timeout',
      'image_too_large',
      'image_unreachable',
    ]);
  });
});
