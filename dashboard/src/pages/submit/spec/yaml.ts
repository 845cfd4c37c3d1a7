/** The YAML parser, loaded by those who need it; as a query, so that loading and failing show like everywhere else. */
import { queryOptions } from '@tanstack/react-query';
import type { Yaml } from './draft.ts';

export const yamlQuery = queryOptions<Yaml>({
  queryKey: ['yaml parser'],
  queryFn: () => import('yaml'),
  staleTime: Number.POSITIVE_INFINITY,
  gcTime: Number.POSITIVE_INFINITY,
});
