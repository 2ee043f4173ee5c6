import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

export const DEFAULT_PORT = 3000;

/** PORT, which has to be free; without it 3000, or where that is taken, any. */
export async function choosePort(host: string, command: string): Promise<number> {
  const { PORT } = process.env;
  try {
    return await freePort(Number(PORT ?? DEFAULT_PORT), host);
  } catch (error) {
    if (!isPortTaken(error)) throw error;
    if (PORT !== undefined) throw new Error(takenMessage(PORT, command), { cause: error });
    console.log(FREE_ONE);
    return freePort(0, host);
  }
}

/** The port, if it is free; without one any that is. */
export async function freePort(port = 0, host = '127.0.0.1'): Promise<number> {
  const server = createServer().listen(port, host);
  await once(server, 'listening');
  const { port: free } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return free;
}

export const FREE_ONE = `Port ${DEFAULT_PORT} is taken: here is a free one. PORT=... chooses it.`;

export function takenMessage(port: string, command: string): string {
  return `Port ${port} is taken. Choose another one: PORT=${Number(port) + 1} ${command}`;
}

export function isPortTaken(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
}
