import { BadRequestException, Injectable, type PipeTransform } from '@nestjs/common';
import { ROOMS, type Room } from './events.js';

/** Also `?rooms=cpu&rooms=memory`. */
type Query = string | string[] | undefined;

/** `cpu,memory` as a list of rooms; nothing stands for all of them. */
@Injectable()
export class RoomsPipe implements PipeTransform<Query, Room[]> {
  transform(value: Query): Room[] {
    if (value === undefined) return [...ROOMS];
    const names = String(value).split(',');
    const unknown = names.filter((name) => !isRoom(name));
    if (unknown.length === 0) return names.filter(isRoom);
    throw new BadRequestException(
      `No room "${unknown.join('", "')}": ?rooms= takes one or more of ${ROOMS.join(', ')}, separated by commas`,
    );
  }
}

function isRoom(name: string): name is Room {
  return (ROOMS as readonly string[]).includes(name);
}
