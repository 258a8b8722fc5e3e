# A real Modbus TCP server, of Debian's python3-pymodbus: the registers come as JSON, {"holding": {"0": [1, 2]}, ...}.
# Prints its port once it listens. Ends with its standard input.
import asyncio, json, os, sys, threading
from pymodbus.datastore import ModbusSlaveContext, ModbusSequentialDataBlock, ModbusServerContext, ModbusSparseDataBlock
from pymodbus.server.async_io import ModbusTcpServer

def block(lists):
    values = {}
    for start, numbers in lists.items():
        for index, number in enumerate(numbers):
            values[int(start) + index] = number
    return ModbusSparseDataBlock(values or {0: 0})

async def main():
    given = json.loads(sys.argv[1])
    unit = ModbusSlaveContext(
        di=block(given.get('discrete', {})), co=block(given.get('coil', {})),
        hr=block(given.get('holding', {})), ir=block(given.get('input', {})), zero_mode=True)
    context = ModbusServerContext(slaves={int(given.get('unit', 1)): unit}, single=False)
    server = ModbusTcpServer(context, address=('127.0.0.1', 0), allow_reuse_address=True)
    serving = asyncio.ensure_future(server.serve_forever())
    while getattr(server, 'server', None) is None or not server.server.sockets:
        await asyncio.sleep(0.01)
    print(server.server.sockets[0].getsockname()[1], flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    await serving

asyncio.run(main())
