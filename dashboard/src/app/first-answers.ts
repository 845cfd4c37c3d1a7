/** The head start of this page. A module of its own, because it is evaluated before those of React and Mantine. */
import { giveHeadStart } from './head-start.ts';

export const firstAnswers = giveHeadStart(window.location.pathname);
