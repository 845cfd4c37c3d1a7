/** Bytes and the service itself: blobs, health, metrics, the description of the API. */
import { z } from 'zod';
import { nothing, sha256 } from './parts.ts';
import { defineRoute } from './route.ts';

const blobParams = z.strictObject({ sha256 });

export const serviceRoutes = {
  putBlob: defineRoute('putBlob', {
    summary: 'Upload bytes under their SHA-256; uploading them again changes nothing',
    access: { role: 'member' },
    params: blobParams,
    body: 'bytes',
    status: 200,
    answer: 'json',
    response: z.object({ sha256, sizeBytes: z.number().min(0) }),
    errors: ['blob_hash_mismatch', 'disk_full'],
  }),
  headBlob: defineRoute('headBlob', {
    summary: 'Whether the tenant has uploaded this blob',
    access: { role: 'member' },
    params: blobParams,
    status: 200,
    answer: 'none',
    response: nothing,
    errors: [],
  }),
  getLiveness: defineRoute('getLiveness', {
    summary: 'The process lives',
    access: 'public',
    status: 204,
    answer: 'none',
    response: nothing,
    errors: [],
  }),
  getReadiness: defineRoute('getReadiness', {
    summary: 'The process serves: its database answers and it is not stopping',
    access: 'public',
    status: 204,
    answer: 'none',
    response: nothing,
    errors: ['not_ready'],
  }),
  getMetrics: defineRoute('getMetrics', {
    summary: 'Metrics in the text format of Prometheus',
    access: { role: 'viewer', operator: true },
    status: 200,
    answer: 'text',
    response: z.string(),
    errors: [],
  }),
  getOpenapi: defineRoute('getOpenapi', {
    summary: 'This API in OpenAPI 3.1',
    access: 'public',
    status: 200,
    answer: 'json',
    response: z.looseObject({ openapi: z.string() }),
    errors: [],
  }),
};
