/** The helper of `connector-process.ts`: connects where it stands and hands the sockets over. Ends with who started it. */
import { connectHere } from './connect-here.ts';

process.on('disconnect', () => process.exit(0));
process.on('message', ({ id, port }: { id: number; port: number }) => {
  connectHere(port).then(
    (socket) => process.send?.({ id }, socket, { keepOpen: false }, (error) => error && socket.destroy()),
    (error: Error) => process.send?.({ id, error: error.message }),
  );
});
