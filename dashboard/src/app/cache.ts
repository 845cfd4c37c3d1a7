/** The page's cache of answers. */
import { createQueryClient } from '../api/queries.ts';

export const queryClient = createQueryClient();
